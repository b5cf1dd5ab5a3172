"""Which grid of the paper a sweep belongs to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter
from rich.console import Console
from rich.markup import escape

from results.analysis.costs import devices, training_seconds
from results.claims.verdict import Ruling
from results.gallery.records import SCALES, Scale, SweepUsed
from results.store.paths import AnyPath
from results.store.plan_file import read_grid, read_plan
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points
from search_spaces.errors import InputError, first_problem
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from search_spaces.sections.grid import Grid


@dataclass(frozen=True, kw_only=True)
class ShippedGrid:
    """A grid that comes with the project."""

    stem: str
    scale: Scale
    grid: Grid

    @property
    def path(self) -> str:
        """File of the grid, as the repository has it."""
        return f"grids/{self.scale}/{self.stem}.yaml"

    @cached_property
    def points(self) -> frozenset[str]:
        """Ids of its points."""
        return frozenset(point.id for point in make_points(self.grid))


@dataclass(frozen=True, kw_only=True)
class RecognizedSweep:
    """A sweep of a grid that comes with the project."""

    directory: SweepDir
    shipped: ShippedGrid
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


def recognized_sweeps(roots: Sequence[AnyPath], grids: Path, console: Console) -> list[RecognizedSweep]:
    """Sweeps of the paper's grids, one of each name; what is none is told and left out."""
    shipped = _shipped(grids)
    sweeps: dict[str, RecognizedSweep] = {}
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


def _sweeps_in(roots: Sequence[AnyPath]) -> list[SweepDir]:
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


def _shipped(grids: Path) -> dict[str, ShippedGrid]:
    """Grids of the project by their name."""
    paths = [(scale, path) for scale in SCALES for path in sorted((grids / scale).glob("*.yaml"))]
    if not paths:
        raise InputError(
            f"--grids {grids}: no paper/*.yaml or small/*.yaml here; give the folder of the grids that come with the "
            "project, or run where that is grids."
        )
    each = [
        ShippedGrid(stem=path.stem, scale=scale, grid=load_grid(path.read_text(encoding="utf-8"), str(path)))
        for scale, path in paths
    ]
    return {shipped.grid.name: shipped for shipped in each}


def _recognize(directory: SweepDir, shipped: Mapping[str, ShippedGrid]) -> RecognizedSweep:
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
    return RecognizedSweep(directory=directory, shipped=known, grid=grid, points=points, used=used)


def _of_another_budget(grid: Grid, shipped: Mapping[str, ShippedGrid]) -> ShippedGrid | None:
    """The grid of the project that a name such as ``figS8b-45`` is of, at a fixed budget of 45 epochs; None if none."""
    name, _, epochs = grid.name.rpartition("-")
    known = shipped.get(name)
    if known is None or grid.budget.rule != "fixed" or known.grid.budget.rule != "fixed":
        return None
    if epochs != f"{grid.budget.constant:g}":
        return None
    return replace(known, grid=known.grid.model_copy(update={"budget": grid.budget}))
