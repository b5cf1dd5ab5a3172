"""The gallery: every figure of the paper and those beyond it from the sweeps at hand, as records and two pages."""

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from pydantic import TypeAdapter
from rich.console import Console
from rich.markup import escape

from results.analysis.costs import devices, training_seconds
from results.claims.comparison import INCONCLUSIVE, compare
from results.claims.titles import CLAIMS
from results.claims.verdict import Ruling
from results.figures.drawing import Drawing, render
from results.figures.paper.catalog import FIGURES, draw_figure
from results.figures.paper.sources import NO_SWEEPS, read_tables
from results.gallery.exhibits import Exhibit, Expectation, Statement
from results.gallery.html import render_html
from results.gallery.markdown import render_markdown
from results.gallery.records import (
    ENTRIES,
    FOLDER,
    SCALES,
    Finding,
    Mark,
    Record,
    Scale,
    SweepUsed,
    read_records,
    write_record,
)
from results.store.files import write_text
from results.store.place import Place
from results.store.plan_file import read_grid, read_plan
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points
from search_spaces.errors import InputError, first_problem
from search_spaces.grid import Grid
from search_spaces.load import load_grid
from search_spaces.points import make_points
from sweeper.compare import read_side

PICTURE_DPI = 144  # 1.5 pixels a point of a printed panel: sharp on a page, and half the bytes of 200
COLORS = 128  # of a picture: lines and text in few colours, a third of the bytes of all colours
_IN_WORDS = {
    "best_accuracy": "Best test accuracy, difference",
    "time_epochs": "Epochs to the same accuracy, ratio",
}
_OPPOSITE: Mapping[str, Mark] = {"pass": "fail", "fail": "pass"}


@dataclass(frozen=True, kw_only=True)
class _Shipped:
    """A grid that comes with the project."""

    stem: str
    scale: Scale
    grid: Grid

    @property
    def path(self) -> str:
        return f"grids/{self.scale}/{self.stem}.yaml"

    @cached_property
    def points(self) -> frozenset[str]:
        return frozenset(point.id for point in make_points(self.grid))


@dataclass(frozen=True, kw_only=True)
class _Sweep:
    """A sweep of a grid that comes with the project."""

    directory: SweepDir
    shipped: _Shipped
    grid: Grid
    points: pd.DataFrame
    used: SweepUsed

    @cached_property
    def verdicts(self) -> dict[str, "_Judged"]:
        """Content of ``verdicts.json`` by claim."""
        path = self.directory.analysis / "verdicts.json"
        try:
            return {judged.claim: judged for judged in _VERDICTS.validate_json(path.read_bytes()).verdicts}
        except (OSError, ValueError) as error:
            first = first_problem(error) if isinstance(error, ValueError) else str(error)
            raise InputError(
                f"{path}: the verdicts of this sweep cannot be read ({first}). Run 'sweeper analyze "
                f"{self.directory.root}' first."
            ) from None


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """What the gallery reads of a verdict in ``verdicts.json``."""

    claim: str
    value: float | None
    interval: Sequence[float | None] | None
    verdict: Ruling
    why: str


@dataclass(frozen=True, kw_only=True)
class _Verdicts:
    verdicts: Sequence[_Judged]


_VERDICTS = TypeAdapter(_Verdicts)


def make_gallery(roots: Sequence[Place], out: Path, grids: Path, console: Console) -> tuple[Path, Path]:
    """Draw the figures that the sweeps are about, keep the records of all others, write both pages.

    Args:
        roots: folders of sweeps, or folders that hold such folders. None: the pages alone, from the records.
        out: folder of ``gallery.md``, ``gallery.html`` and ``gallery/``.
        grids: folder of the grids that come with the project, ``paper/*.yaml`` and ``small/*.yaml``.
        console: told which sweeps were recognized, which not and why, and what was drawn.

    Returns:
        Paths of the two pages.

    Raises:
        InputError: there is no sweep in a folder given, none of them is one of the paper's, or a record is damaged.
    """
    folder = out / FOLDER
    records = read_records(folder)  # a damaged one is said before anything is drawn
    sweeps = _recognized(roots, grids, console) if roots else []
    for scale in SCALES:
        for figure, exhibit in ENTRIES.items():
            own = [s for stem in exhibit.grids for s in sweeps if (s.shipped.scale, s.shipped.stem) == (scale, stem)]
            of_theory = scale == "paper" and not exhibit.grids and exhibit.layout in FIGURES
            if own or of_theory:
                _update(folder, figure, scale, own, records.get((figure, scale)), console)
    records = read_records(folder)
    pages = out / "gallery.md", out / "gallery.html"
    write_text(pages[0], render_markdown(records))
    write_text(pages[1], render_html(records, folder))
    return pages


# ------------------------------------------------------------------------------------------ recognition


def _recognized(roots: Sequence[Place], grids: Path, console: Console) -> list[_Sweep]:
    """Sweeps of the paper's grids, one of each name; what is none is told and left out."""
    shipped = _shipped(grids)
    sweeps: dict[str, _Sweep] = {}
    refused = []
    for directory in _sweeps_in(roots):
        try:
            sweep = _recognize(directory, shipped)
        except InputError as error:
            refused.append(str(error))
            console.print(f"[yellow]left out[/]    {escape(str(error))}", soft_wrap=True, highlight=False)
            continue
        key = sweep.grid.name
        there = f"{sweep.used.planned - sweep.used.missing} of {sweep.used.planned} points"
        if key in sweeps and sweeps[key].used.missing <= sweep.used.missing:
            text = f"{directory.root}: {there} of {sweep.grid.name}, of which {sweeps[key].directory.root} has no fewer"
            console.print(f"[yellow]left out[/]    {escape(text)}", soft_wrap=True, highlight=False)
            continue
        sweeps[key] = sweep
        text = f"{directory.root}: {sweep.shipped.stem}, {SCALES[sweep.shipped.scale]}, {there}"
        console.print(f"[green]recognized[/]  {escape(text)}", soft_wrap=True, highlight=False)
    if not sweeps:
        given = ", ".join(map(str, roots))
        raise InputError(f"{given}: no sweep of a grid of the paper. {' '.join(refused)}")
    return [sweeps[name] for name in sorted(sweeps)]


def _sweeps_in(roots: Sequence[Place]) -> list[SweepDir]:
    """Sweeps among folders and in them."""
    found = []
    for root in roots:
        inner = sorted(root.glob("*")) if isinstance(root, Path) and not SweepDir(root).plan.is_file() else [root]
        candidates = [SweepDir(path) for path in inner]
        own = [directory for directory in candidates if directory.plan.is_file()]
        if not own:
            raise InputError(f"{root}: no sweep here; give the folder that 'sweeper run' made, or one that holds such.")
        found += own
    return list(dict.fromkeys(found))


def _shipped(grids: Path) -> dict[str, _Shipped]:
    """Grids of the project by their name."""
    paths = [(scale, path) for scale in SCALES for path in sorted((grids / scale).glob("*.yaml"))]
    if not paths:
        raise InputError(
            f"--grids {grids}: no paper/*.yaml or small/*.yaml here; give the folder of the grids that come with the "
            "project, or run where that is grids."
        )
    each = [
        _Shipped(stem=path.stem, scale=scale, grid=load_grid(path.read_text(encoding="utf-8"), str(path)))
        for scale, path in paths
    ]
    return {shipped.grid.name: shipped for shipped in each}


def _recognize(directory: SweepDir, shipped: Mapping[str, _Shipped]) -> _Sweep:
    """The sweep in a directory.

    Raises:
        InputError: it is not one of a grid of the paper, as that stands, or nothing of it has ended.
    """
    plan, grid = read_plan(directory), read_grid(directory)
    known = shipped.get(grid.name) or _of_another_budget(grid, shipped)
    if known is None:
        raise InputError(f"{directory.root}: no grid of the paper, nor a small sibling of one, is named {grid.name}.")
    if foreign := len(plan.points.keys() - known.points):
        raise InputError(
            f"{directory.root}: {foreign} of its {len(plan.points)} points are not in {known.path}, so it is not that "
            f"grid, though named {grid.name}. Run that grid unchanged, or give this one another --name."
        )
    if grid.analysis.tolerance != known.grid.analysis.tolerance:
        raise InputError(
            f"{directory.root}: analyzed with a tolerance of {grid.analysis.tolerance:g}, not "
            f"{known.grid.analysis.tolerance:g} as in {known.path}; run that grid again."
        )
    points = read_points(directory)
    if points.empty:
        raise InputError(f"{directory.root}: no point of this sweep of {grid.name} has ended yet.")
    used = SweepUsed(
        grid=known.stem,
        name=grid.name,
        trains=grid.trainable.title,
        planned=len(known.points),
        missing=len(known.points - set(points["point"])),
        outcomes=dict(sorted(Counter(map(str, points["outcome"])).items())),
        seconds=round(training_seconds(points), 1),
        devices=devices(points),
        started=plan.created,
    )
    return _Sweep(directory=directory, shipped=known, grid=grid, points=points, used=used)


def _of_another_budget(grid: Grid, shipped: Mapping[str, _Shipped]) -> _Shipped | None:
    """The grid of the project that a name such as ``figS8b-45`` is of, at a fixed budget of 45 epochs; None if none."""
    name, _, epochs = grid.name.rpartition("-")
    known = shipped.get(name)
    if known is None or grid.budget.rule != "fixed" or known.grid.budget.rule != "fixed":
        return None
    if epochs != f"{grid.budget.constant:g}":
        return None
    return replace(known, grid=known.grid.model_copy(update={"budget": grid.budget}))


# ---------------------------------------------------------------------------------------------- records


def _update(
    folder: Path, figure: str, scale: Scale, sweeps: Sequence[_Sweep], earlier: Record | None, console: Console
) -> None:
    """Draw one figure and write its record, or tell why it stays as it is."""
    exhibit = ENTRIES[figure]
    name = exhibit.label if exhibit.beyond else f"{exhibit.label}, {SCALES[scale]}"
    lost = {used.name for used in earlier.sweeps} - {s.used.name for s in sweeps} if earlier else set()
    if lost:
        text = f"{name}: its record is also of {', '.join(sorted(lost))}; give that sweep too to draw it again"
        console.print(f"[yellow]kept[/]        {escape(text)}", soft_wrap=True, highlight=False)
        return
    try:
        drawing = _draw(exhibit, sweeps)
        record = _record(figure, scale, sweeps, drawing)
    except InputError as error:
        console.print(f"[yellow]not drawn[/]   {escape(f'{name}: {error}')}", soft_wrap=True, highlight=False)
        return
    write_record(folder, record, _small_png(render(drawing, PICTURE_DPI).png))
    console.print(f"[green]drawn[/]       {escape(name)}", soft_wrap=True, highlight=False)


def _draw(exhibit: Exhibit, sweeps: Sequence[_Sweep]) -> Drawing:
    eta = exhibit.eta if any(s.shipped.scale == "paper" for s in sweeps) else None
    tables = read_tables([(s.directory, s.grid) for s in sweeps], eta=eta) if sweeps else NO_SWEEPS
    return draw_figure(exhibit.layout, tables)


def _record(figure: str, scale: Scale, sweeps: Sequence[_Sweep], drawing: Drawing) -> Record:
    exhibit = ENTRIES[figure]
    by_stem = {sweep.used.grid: sweep for sweep in sweeps}
    expectations = [c for c in exhibit.expectations if {c.better, c.other} <= by_stem.keys()]
    return Record(
        figure=figure,
        scale=scale,
        drawn=datetime.now(UTC).date().isoformat(),
        caption=drawing.caption,
        commands=tuple(_commands(exhibit, sweeps, expectations)),
        sweeps=tuple(sweep.used for sweep in sweeps),
        findings=(
            *(f for s in exhibit.statements for f in _judged(s, sweeps)),
            *(_contested(c, by_stem) for c in expectations),
            *_numbers(exhibit, sweeps, drawing.data),
        ),
    )


def _judged(statement: Statement, sweeps: Sequence[_Sweep]) -> Iterable[Finding]:
    """A claim as each of the sweeps that it is about shows it; one that a sweep cannot show is left out."""
    about = [s for s in sweeps if not statement.grids or s.used.grid in statement.grids]
    for sweep in about:
        verdict = sweep.verdicts.get(statement.claim)
        if verdict is None:
            continue
        ruling = verdict.verdict
        silent = statement.sibling if sweep.shipped.scale == "small" else ""
        yield Finding(
            what=CLAIMS[statement.claim] if statement.holds else f"Not so: {CLAIMS[statement.claim]}",
            claim=statement.claim,
            of=sweep.used.grid,
            paper=statement.paper,
            agrees="" if silent else ruling if statement.holds else _OPPOSITE.get(ruling, ruling),
            value=verdict.value,
            interval=verdict.interval,
            why=f"{silent}; {verdict.why}" if silent else verdict.why,
        )


def _contested(expected: Expectation, sweeps: Mapping[str, _Sweep]) -> Finding:
    """What two sweeps side by side show of the paper's statement: better - other, or better/other for a time."""
    other, better = (read_side(sweeps[stem].directory.root, stem) for stem in (expected.other, expected.better))
    found = next(c for c in compare(other, better) if c.claim == expected.claim)
    agrees: Mark = "inconclusive" if found.winner == INCONCLUSIVE else "fail"
    return Finding(
        what=_IN_WORDS[expected.claim],
        claim=expected.claim,
        of=f"{expected.better}, {expected.other}",
        paper=expected.words,
        agrees="pass" if found.winner == expected.better else agrees,
        value=found.value,
        interval=found.interval,
        why=found.why,
    )


def _numbers(exhibit: Exhibit, sweeps: Sequence[_Sweep], data: pd.DataFrame) -> Iterable[Finding]:
    """Numbers read off the figure."""
    of = ", ".join(sweep.used.grid for sweep in sweeps)
    for number in exhibit.numbers:
        value, remark = number.read(data)
        known = float(value) if np.isfinite(value) else None
        agrees: Mark = ""
        if known is not None and number.most is not None:
            agrees = "pass" if known <= number.most else "fail"
        yield Finding(
            what=number.name, claim="", of=of, paper=number.paper, agrees=agrees, value=known, interval=None, why=remark
        )


def _commands(exhibit: Exhibit, sweeps: Sequence[_Sweep], expectations: Sequence[Expectation]) -> Iterable[str]:
    names = {sweep.used.grid: f"runs/{sweep.grid.name}" for sweep in sweeps}
    for sweep in sweeps:
        grid, another = sweep.grid, sweep.grid.name != sweep.shipped.grid.name
        changed = f" --set budget.constant={grid.budget.constant:g} --name {grid.name}" if another else ""
        yield f"sweeper run {sweep.shipped.path}{changed}"
    yield " ".join(["sweeper figure", exhibit.layout, *(f"runs/{sweep.grid.name}" for sweep in sweeps)])
    yield from dict.fromkeys(f"sweeper compare {names[c.other]} {names[c.better]}" for c in expectations)


def _small_png(png: bytes) -> bytes:
    """The same picture in a palette of few colours."""
    content = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(content, format="PNG", optimize=True)
    return content.getvalue()
