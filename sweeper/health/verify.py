"""``sweeper verify``: every file of a sweep against its name, its content and the others. See docs/durability.md.

The folder may come from anybody: nothing in it is executed, and nothing outside it is read, written or removed.
"""

import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

import pyarrow as pa

from results.store.commits import PointEnd
from results.store.files import read_limited, read_parquet, size_of, write_bytes
from results.store.ledger import cause_files, read_cause, read_ledger
from results.store.paths import AnyPath, StoreError
from results.store.plan_file import PlanFile, read_grid, read_plan
from results.store.sweep_dir import SweepDir, files_of, leftovers
from results.store.tables import read_points
from search_spaces.errors import InputError, reason
from search_spaces.plan import pack_id
from search_spaces.points import ids_in
from search_spaces.sections.grid import Grid
from sweeper.health.inspection import Checked, Fault, Inspection
from sweeper.health.part_checks import PartChecks
from sweeper.health.recovery import drop_damaged_parts, remove_parts_behind_checkpoints, unused_checkpoints
from sweeper.lock.lock import holder, locked
from sweeper.worker.checkpoints import checkpoint_files
from sweeper.worker.weights import is_intact, weight_files

MOST_VERDICTS = 50_000_000  # bytes of verdicts.json; a real one has some 10,000
_TABLES = ("peaks", "within_budget", "prediction")
_FIGURE = (".svg", ".png", ".csv")  # every figure is there in all three


def verify(directory: SweepDir, *, repair: bool = False) -> tuple[Inspection, Sequence[Fault]]:
    """Check every file of a sweep.

    Args:
        directory: the sweep.
        repair: remove what is damaged, so that the next run trains it again. What is sound stays.

    Returns:
        What is wrong now, and what was repaired.

    Raises:
        InputError: no sweep lies there, its folder holds links, or, to be repaired, somebody runs it.
    """
    if not any(path.exists() for path in (directory.plan, directory.grid, directory.rows)):
        raise InputError(f"{directory.root}: no sweep here. Give the folder that 'sweeper run' made.")
    if not repair:
        return _steady(directory), ()
    with locked(directory):
        found = inspect(directory)
        _repair(directory, found.damage)
        left = inspect(directory)
    still = {fault.file for fault in left.damage}
    return left, [fault for fault in found.damage if fault.file not in still]


def _steady(directory: SweepDir) -> Inspection:
    """What is found; while somebody writes, what is found twice."""
    found = inspect(directory)
    runner = holder(directory)
    if runner and found.damage:
        again = {fault.file for fault in inspect(directory).damage}
        found = replace(found, damage=tuple(fault for fault in found.damage if fault.file in again))
    return replace(found, runner=runner)


def _repair(directory: SweepDir, damage: Sequence[Fault]) -> None:
    """Remove what is damaged, then the parts that no longer count, or that training cannot go on from, without it."""
    for fault in damage:
        path = directory.root / fault.file
        if fault.repairable and path.is_file():
            if path == directory.grid:  # a person may still read it
                write_bytes(path.with_name(f"{path.name}.damaged"), path.read_bytes())
            path.unlink()
    with suppress(InputError):  # a file among the parts that is none of ours is in the way
        drop_damaged_parts(directory, ())
        remove_parts_behind_checkpoints(directory)


def inspect(directory: SweepDir) -> Inspection:
    """Read everything once; changes nothing."""
    sizes = files_of(directory)
    plan, damage = _described(directory)
    parts = PartChecks(directory, plan)
    damage += [*parts.faults(), *_given_up(directory), *_weights(directory)]
    outdated: list[Fault] = []
    if plan is not None and not damage:
        outdated, wrong = _points_table(directory, plan)
        damage += wrong
    late, broken = _analysis(directory, sizes)
    kinds = {
        "grid and plan": ([directory.grid, directory.plan], ""),
        "parts": ([directory.rows / n.file for n in parts.names], f"{parts.rows:,} rows, {len(parts.ends):,} ends"),
        "checkpoints": (checkpoint_files(directory), ""),
        "weights": (weight_files(directory), ""),
        "points.parquet": ([directory.points], ""),
        "analysis": ([p for p in sizes if _lies_in(p, directory.analysis) or p == directory.report], ""),
    }
    return Inspection(
        sweep=directory.name,
        checked=tuple(_checked(what, files, sizes, holds) for what, (files, holds) in kinds.items()),
        damage=tuple(damage + broken),
        waste=tuple(_waste(directory, parts)),
        outdated=tuple(outdated + late),
        bytes=sum(sizes.values()),
    )


def _lies_in(path: AnyPath, folder: AnyPath) -> bool:
    return str(path).startswith(f"{folder}/")


def _checked(what: str, files: Iterable[AnyPath], sizes: Mapping[AnyPath, int], holds: str) -> Checked:
    present = [sizes[path] for path in files if path in sizes]
    return Checked(what=what, files=len(present), bytes=sum(present), holds=holds)


def _described(directory: SweepDir) -> tuple[PlanFile | None, list[Fault]]:
    """The plan, and what is wrong with grid and plan: each by itself, then the plan against itself and the grid."""
    grid = plan = None
    faults = []
    again = "the next 'sweeper run GRID' writes it anew"
    try:
        grid = read_grid(directory)
    except FileNotFoundError:
        faults.append(Fault(file=directory.grid.name, why="is missing", again=again, repairable=False))
    except InputError as error:
        faults.append(Fault(file=directory.grid.name, why=reason(error, str(directory.grid)), again=again))
    again = "the next run writes it anew; points that have not ended start again"
    try:
        plan = read_plan(directory)
    except InputError as error:
        missing = not directory.plan.is_file()
        why = "is missing" if missing else reason(error, str(directory.plan))
        faults.append(Fault(file=directory.plan.name, why=why, again=again, repairable=not missing))
    if plan is not None and (why := _inconsistent(grid, plan)):
        faults.append(Fault(file=directory.plan.name, why=why, again=again))
        plan = None
    return plan, faults


def _inconsistent(grid: Grid | None, plan: PlanFile) -> str:
    """What is wrong with a plan that can be read; empty if nothing is."""
    packs = Counter(p.id for pack in plan.packs for p in pack.points)
    if wrong := [pack.id for pack in plan.packs if pack.id != pack_id(pack.points)]:
        return f"the id of pack {wrong[0]} is not the hash of its points{_more(wrong)}"
    if wrong := [id_ for id_, count in packs.items() if count > 1]:
        return f"point {wrong[0]} stands in two packs{_more(wrong)}"
    if grid is None:
        return ""
    points = plan.points.values()
    wrong = [p.id for p, id_ in zip(points, ids_in(grid, points), strict=True) if p.id != id_]
    return f"the id of point {wrong[0]} is not the hash of what grid.yaml makes of it{_more(wrong)}" if wrong else ""


def _more(wrong: Sequence[object]) -> str:
    return f" (and {len(wrong) - 1:,} more)" if len(wrong) > 1 else ""


def _given_up(directory: SweepDir) -> list[Fault]:
    faults = []
    for path in cause_files(directory):
        try:
            read_cause(path)
        except InputError:
            faults.append(Fault(file=directory.inside(path), why="not JSON with a cause"))
    return faults


def _weights(directory: SweepDir) -> list[Fault]:
    return [
        Fault(file=f"weights/{path.name}", why="its content is not what its name says")
        for path in weight_files(directory)
        if not is_intact(path)
    ]


def _points_table(directory: SweepDir, plan: PlanFile) -> tuple[list[Fault], list[Fault]]:
    """What is outdated and what is wrong in ``points.parquet``, by the ledger and the plan."""
    ends = read_ledger(directory, plan.pack_points)
    if not directory.points.is_file():
        return ([_for_analysis(directory.points, directory, "is missing")] if ends else []), []
    try:
        rows = read_points(directory).to_dict("records")
    except InputError as error:
        return [], [_for_analysis(directory.points, directory, reason(error, str(directory.points)))]
    held = {(row["point"], row["pack"], row["attempt"]) for row in rows}
    wrong = [str(row["point"]) for row in rows if not _agrees(row, ends.get(str(row["point"])), plan)]
    if wrong or len(held) < len(rows):
        why = (
            f"other values than parts and plan.json have, of point {wrong[0]}{_more(wrong)}" if wrong else "rows twice"
        )
        return [], [_for_analysis(directory.points, directory, why)]
    if held != {(end.point, end.pack, end.attempt) for end in ends.values()}:
        return [_for_analysis(directory.points, directory, "older than the parts")], []
    return [], []


def _for_analysis(path: AnyPath, directory: SweepDir, why: str) -> Fault:
    return Fault(file=directory.inside(path), why=why, again=f"'sweeper analyze {directory.root}' writes it anew")


def _agrees(row: Mapping[Hashable, object], end: PointEnd | None, plan: PlanFile) -> bool:
    """Whether a row of the table of points says what ledger and plan do, if it is of the same training."""
    if end is None or (row["pack"], row["attempt"]) != (end.pack, end.attempt):
        return True
    point = plan.points.get(end.point)
    axes = {**point.axes(), "budget": point.budget} if point else {}
    return all(_same(row[name], value) for name, value in {**axes, **asdict(end)}.items() if name in row)


def _same(stored: object, value: object) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return stored is None or stored != stored  # noqa: PLR0124 - nan, whatever its type
    return stored == value or str(stored) == (str(value).lower() if isinstance(value, bool) else str(value))


def _analysis(directory: SweepDir, files: Iterable[AnyPath]) -> tuple[list[Fault], list[Fault]]:
    """What is missing of the analysis, and what cannot be read."""
    missing, broken = [], []
    tables = [directory.analysis / f"{name}.parquet" for name in _TABLES]
    found = [path for path in files if _lies_in(path, directory.analysis / "figures") and path.suffix in _FIGURE]
    drawn = sorted({path.with_suffix(ending) for path in found for ending in _FIGURE}, key=str)
    for path in (*tables, directory.analysis / "verdicts.json", directory.report, *drawn):
        if not path.is_file():
            missing += [_for_analysis(path, directory, "is missing")] if directory.points.is_file() else []
        elif why := _unreadable(path):
            broken.append(_for_analysis(path, directory, why))
    return missing, broken


def _unreadable(path: AnyPath) -> str:
    """Why a file of the analysis is none; empty if it is one."""
    try:
        if path.suffix == ".parquet":
            read_parquet(path)
        elif path.suffix == ".json":
            json.loads(read_limited(path, MOST_VERDICTS))["verdicts"]
        elif not size_of(path):
            return "empty"
    except StoreError:
        raise
    except (pa.ArrowException, InputError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return reason(error, str(path))
    return ""


def _waste(directory: SweepDir, parts: PartChecks) -> Iterator[Fault]:
    for name in parts.waste():
        yield Fault(file=f"rows/{name.file}", why="a later attempt has taken over from it")
    with suppress(InputError, FileNotFoundError):  # parts that cannot be read do not say what they need
        for path in unused_checkpoints(directory):
            yield Fault(file=f"checkpoints/{path.name}", why="no pack goes on from it")
    for path in leftovers(directory):
        yield Fault(file=directory.inside(path), why="left by a process that was killed")
