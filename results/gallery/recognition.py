"""Recognition of sweeps: which grid of the project a sweep belongs to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from rich.console import Console

from results.analysis.costs import devices, training_seconds
from results.gallery.messages import print_status
from results.gallery.records import SCALES, Scale, SweepUsed
from results.store.paths import AnyPath
from results.store.plan_file import read_grid, read_plan
from results.store.sweep_dir import SweepDir
from results.store.tables import StoredVerdict, read_points, read_verdicts
from search_spaces.errors import InputError
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from search_spaces.sections.data import ImageFolder, TorchvisionImages
from search_spaces.sections.grid import Grid


@dataclass(frozen=True, kw_only=True)
class ShippedGrid:
    """A grid that comes with the project.

    Attributes:
        stem: Name of its file without ending.
        scale: Folder of its file, ``paper`` or ``small``.
        grid: The grid itself.
    """

    stem: str
    scale: Scale
    grid: Grid

    @property
    def path(self) -> str:
        """Path of its file in the repository."""
        return f"grids/{self.scale}/{self.stem}.yaml"

    @cached_property
    def points(self) -> frozenset[str]:
        """Ids of its points."""
        return frozenset(point.id for point in make_points(self.grid))


@dataclass(frozen=True, kw_only=True)
class RecognizedSweep:
    """A sweep of a grid that comes with the project.

    Attributes:
        directory: Directory of the sweep.
        shipped: The project's grid that it belongs to.
        grid: The grid that was run.
        used: Facts of the sweep, as a record keeps them.
    """

    directory: SweepDir
    shipped: ShippedGrid
    grid: Grid
    used: SweepUsed

    @property
    def progress(self) -> str:
        """Number of the grid's points that have ended, in words."""
        return f"{self.used.planned - self.used.missing} of {self.used.planned} points"

    @cached_property
    def verdicts(self) -> dict[str, StoredVerdict]:
        """Verdicts of ``verdicts.json``, by claim.

        Raises:
            InputError: The file is absent or damaged.
        """
        return {verdict.claim: verdict for verdict in read_verdicts(self.directory).verdicts}


def recognize_sweeps(roots: Sequence[AnyPath], grids: Path, console: Console) -> list[RecognizedSweep]:
    """Return the sweeps of the project's grids, one of each name; of several, the one with the most points.

    Args:
        roots: Folders of sweeps, or folders that hold such folders.
        grids: Folder of the project's grids.
        console: Prints which sweeps were recognized, and why others were left out.

    Raises:
        InputError: A folder has no sweep, ``grids`` has no grid, or no sweep was recognized.
    """
    shipped = _read_shipped_grids(grids)
    sweeps: dict[str, RecognizedSweep] = {}
    refusals = []
    for directory in _find_sweeps(roots):
        try:
            sweep = _recognize(directory, shipped)
        except InputError as error:
            refusals.append(str(error))
            print_status(console, "left out", str(error))
            continue
        name = sweep.grid.name
        if name in sweeps and sweeps[name].used.missing <= sweep.used.missing:
            other = sweeps[name].directory.root
            reason = f"{sweep.progress} of {name}, of which {other} has no fewer"
            print_status(console, "left out", f"{directory.root}: {reason}")
            continue
        sweeps[name] = sweep
        found = f"{sweep.shipped.stem}, {SCALES[sweep.shipped.scale]}, {sweep.progress}"
        print_status(console, "recognized", f"{directory.root}: {found}")
    if not sweeps:
        folders = ", ".join(map(str, roots))
        raise InputError(f"{folders}: no sweep of a grid of the paper. {' '.join(refusals)}")
    return [sweeps[name] for name in sorted(sweeps)]


def _find_sweeps(roots: Sequence[AnyPath]) -> list[SweepDir]:
    """Return the sweeps among folders and directly in them.

    Raises:
        InputError: A folder neither is nor holds a sweep.
    """
    found = []
    for root in roots:
        inner = sorted(root.glob("*")) if isinstance(root, Path) and not SweepDir(root).plan.is_file() else [root]
        directories = [SweepDir(path) for path in inner]
        sweeps = [directory for directory in directories if directory.plan.is_file()]
        if not sweeps:
            raise InputError(f"{root}: no sweep here; give the folder that 'sweeper run' made, or one that holds such.")
        found += sweeps
    return list(dict.fromkeys(found))


def _read_shipped_grids(grids: Path) -> dict[str, ShippedGrid]:
    """Read the project's grids; return them by their name.

    Raises:
        InputError: The folder has no grid.
    """
    paths = [(scale, path) for scale in SCALES for path in sorted((grids / scale).glob("*.yaml"))]
    if not paths:
        raise InputError(
            f"--grids {grids}: no paper/*.yaml or small/*.yaml here; give the folder of the grids that come with the "
            "project, or run where that is grids."
        )
    shipped = [
        ShippedGrid(stem=path.stem, scale=scale, grid=load_grid(path.read_text(encoding="utf-8"), str(path)))
        for scale, path in paths
    ]
    return {grid.grid.name: grid for grid in shipped}


def _recognize(directory: SweepDir, shipped: Mapping[str, ShippedGrid]) -> RecognizedSweep:
    """Match the sweep of a directory with a grid of the project.

    Raises:
        InputError: The sweep matches no grid, was analyzed otherwise, or has no ended point.
    """
    plan, grid = read_plan(directory), read_grid(directory)
    match = shipped.get(grid.name) or _with_other_budget(grid, shipped)
    if match is None:
        raise InputError(f"{directory.root}: no grid of the paper, nor a small sibling of one, is named {grid.name}.")
    match = _with_measure_of(grid, _with_images_of(grid, match))
    if foreign := len(plan.points.keys() - match.points):
        raise InputError(
            f"{directory.root}: {foreign} of its {len(plan.points)} points are not in {match.path}, so it is not that "
            f"grid, though named {grid.name}. Run that grid unchanged, or give this one another --name."
        )
    if grid.analysis.tolerance != match.grid.analysis.tolerance:
        raise InputError(
            f"{directory.root}: analyzed with a tolerance of {grid.analysis.tolerance:g}, not "
            f"{match.grid.analysis.tolerance:g} as in {match.path}; run that grid again."
        )
    points = read_points(directory)
    if points.empty:
        raise InputError(f"{directory.root}: no point of this sweep of {grid.name} has ended yet.")
    used = SweepUsed(
        grid=match.stem,
        name=grid.name,
        trains=grid.trainable.title,
        planned=len(match.points),
        missing=len(match.points - set(points["point"])),
        outcomes=dict(sorted(Counter(map(str, points["outcome"])).items())),
        seconds=round(training_seconds(points), 1),
        devices=devices(points),
        started=plan.created,
        samples=plan.samples,
    )
    return RecognizedSweep(directory=directory, shipped=match, grid=grid, used=used)


def _with_other_budget(grid: Grid, shipped: Mapping[str, ShippedGrid]) -> ShippedGrid | None:
    """Return the project's grid with another fixed budget; None if the name does not say so.

    The name ``figS8b-45`` is that of the grid ``figS8b`` at a fixed budget of 45 epochs.
    """
    name, _, epochs = grid.name.rpartition("-")
    match = shipped.get(name)
    if match is None or grid.budget.rule != "fixed" or match.grid.budget.rule != "fixed":
        return None
    if epochs != f"{grid.budget.constant:g}":
        return None
    return replace(match, grid=match.grid.model_copy(update={"budget": grid.budget}))


def _with_measure_of(grid: Grid, match: ShippedGrid) -> ShippedGrid:
    """Return the project's grid measured as often as a sweep was, on as many samples as itself asks for.

    No figure is about how often. On fewer samples, training accuracy would be another number.
    """
    measure = grid.measure.model_copy(update={"train": match.grid.measure.train})
    return replace(match, grid=match.grid.model_copy(update={"measure": measure}))


def _with_images_of(grid: Grid, match: ShippedGrid) -> ShippedGrid:
    """Return the project's grid with the image folder of a sweep in place of torchvision's data set, if it has one.

    The folder may hold the same images, or others. So the gallery shows what was trained on.
    """
    ours, theirs = (getattr(one.trainable, "data", None) for one in (match.grid, grid))
    if not (isinstance(ours, TorchvisionImages) and isinstance(theirs, ImageFolder)):
        return match
    trainable = match.grid.trainable.model_copy(update={"data": theirs})
    return replace(match, grid=match.grid.model_copy(update={"trainable": trainable}))
