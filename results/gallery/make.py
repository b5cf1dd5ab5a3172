"""The gallery: every figure of the paper and those beyond it from the sweeps at hand, as records and two pages."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from rich.console import Console
from rich.markup import escape

from results.claims.comparison import INCONCLUSIVE, compare
from results.claims.judge import CLAIMS_BY_NAME
from results.compare import read_side
from results.figures.drawing import Drawing, render
from results.figures.paper.catalog import FIGURES, draw_figure
from results.figures.paper.sources import NO_SWEEPS, read_tables
from results.gallery.exhibits import Exhibit, Expectation, Statement
from results.gallery.html import render_html
from results.gallery.markdown import render_markdown
from results.gallery.recognition import RecognizedSweep, recognized_sweeps
from results.gallery.records import (
    ENTRIES,
    FOLDER,
    SCALES,
    Finding,
    Mark,
    Record,
    Scale,
    read_records,
    write_record,
)
from results.store.files import write_text
from results.store.paths import AnyPath
from search_spaces.errors import InputError

PICTURE_DPI = 144  # 1.5 pixels a point of a printed panel: sharp on a page, and half the bytes of 200
COLORS = 128  # of a picture: lines and text in few colours, a third of the bytes of all colours
_IN_WORDS = {
    "best_accuracy": "Best test accuracy, difference",
    "time_epochs": "Epochs to the same accuracy, ratio",
}
_OPPOSITE: Mapping[str, Mark] = {"pass": "fail", "fail": "pass"}


def make_gallery(roots: Sequence[AnyPath], out: Path, grids: Path, console: Console) -> tuple[Path, Path]:
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
    sweeps = recognized_sweeps(roots, grids, console) if roots else []
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


# ---------------------------------------------------------------------------------------------- records


def _update(
    folder: Path, figure: str, scale: Scale, sweeps: Sequence[RecognizedSweep], earlier: Record | None, console: Console
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


def _draw(exhibit: Exhibit, sweeps: Sequence[RecognizedSweep]) -> Drawing:
    eta = exhibit.eta if any(s.shipped.scale == "paper" for s in sweeps) else None
    tables = read_tables([(s.directory, s.grid) for s in sweeps], eta=eta) if sweeps else NO_SWEEPS
    return draw_figure(exhibit.layout, tables)


def _record(figure: str, scale: Scale, sweeps: Sequence[RecognizedSweep], drawing: Drawing) -> Record:
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


def _judged(statement: Statement, sweeps: Sequence[RecognizedSweep]) -> Iterable[Finding]:
    """A claim as each of the sweeps that it is about shows it; one that a sweep cannot show is left out."""
    about = [s for s in sweeps if not statement.grids or s.used.grid in statement.grids]
    for sweep in about:
        verdict = sweep.verdicts.get(statement.claim)
        if verdict is None:
            continue
        ruling = verdict.verdict
        title = CLAIMS_BY_NAME[statement.claim].title
        silent = statement.sibling if sweep.shipped.scale == "small" else ""
        yield Finding(
            what=title if statement.holds else f"Not so: {title}",
            claim=statement.claim,
            of=sweep.used.grid,
            paper=statement.paper,
            agrees="" if silent else ruling if statement.holds else _OPPOSITE.get(ruling, ruling),
            value=verdict.value,
            interval=verdict.interval,
            why=f"{silent}; {verdict.why}" if silent else verdict.why,
        )


def _contested(expected: Expectation, sweeps: Mapping[str, RecognizedSweep]) -> Finding:
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


def _numbers(exhibit: Exhibit, sweeps: Sequence[RecognizedSweep], data: pd.DataFrame) -> Iterable[Finding]:
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


def _commands(
    exhibit: Exhibit, sweeps: Sequence[RecognizedSweep], expectations: Sequence[Expectation]
) -> Iterable[str]:
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
