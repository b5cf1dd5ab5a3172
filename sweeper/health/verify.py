"""Verification of a sweep: every file against its name, its content and the others. See docs/durability.md.

The folder may come from anybody: nothing in it is executed, and nothing outside it is read, written or removed.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace

import pyarrow as pa

from results.store.commits import PointEnd
from results.store.files import read_parquet, size_of
from results.store.generation import Generation, is_of_other_parts, parse_generation, stored_generation
from results.store.paths import AnyPath, StoreError
from results.store.plan_file import PlanFile
from results.store.state import SweepState
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_verdicts
from search_spaces.errors import InputError, command, counted, reason
from search_spaces.plan import pack_id
from search_spaces.points import ids_in
from search_spaces.sections.grid import Grid
from sweeper.health.inspection import Checked, Fault, Inspection
from sweeper.health.inventory import Inventory, take_inventory
from sweeper.health.leftovers import unused_checkpoints
from sweeper.health.part_checks import PartChecks
from sweeper.health.repair import remove_damage
from sweeper.lock.lock import holder, locked
from sweeper.worker.weights import has_intact_weights

MOST_LOOKS = 4  # at the files of a sweep with damage; a run would have to commit during each of them
_TABLES = ("peaks", "within_budget", "prediction")
_FIGURE = (".svg", ".png", ".csv")  # every figure is there in all three


def verify(directory: SweepDir, *, repair: bool = False) -> tuple[Inspection, Sequence[Fault]]:
    """Check every file of a sweep.

    Args:
        directory: the sweep.
        repair: whether to remove what is damaged, so that the next run trains it again.

    Returns:
        The findings, after any repair, and the repaired faults.

    Raises:
        InputError: no sweep lies there, its folder holds links, or, to be repaired, somebody runs it.
    """
    if not any(path.exists() for path in (directory.plan, directory.grid, directory.rows)):
        raise InputError(f"{directory.root}: no sweep here. Give the folder that 'sweeper run' made.")
    if not repair:
        return _steady(directory), ()
    with locked(directory) as held:
        found = inspect(held)
        remove_damage(held, found.damage)
        left = inspect(held)
    still = {fault.file for fault in left.damage}
    return left, [fault for fault in found.damage if fault.file not in still]


def _steady(directory: SweepDir) -> Inspection:
    """Inspect a sweep until two looks in a row agree on its damage; only what every look finds counts.

    A run may commit between the listing of the files and their reading, and then end, so that no lock tells of it.
    """
    found = inspect(directory)
    damage = found.damage
    for _ in range(MOST_LOOKS - 1):
        if not damage:
            break
        found, earlier = inspect(directory), {fault.file for fault in damage}
        damage = tuple(fault for fault in found.damage if fault.file in earlier)
        if {fault.file for fault in damage} == earlier:
            break
    return replace(found, damage=damage, runner=holder(directory))


def inspect(directory: SweepDir) -> Inspection:
    """Check every file of a sweep, and change none.

    Raises:
        InputError: its folder holds links.
    """
    inventory = take_inventory(directory)
    state, sizes = inventory.state, inventory.sizes
    plan, damage = _described(state)
    parts = PartChecks(inventory, plan.pack_points if plan else {})
    damage += [*parts.faults(), *_given_up(state), *_weights(inventory)]
    outdated: list[Fault] = []
    if plan is not None and not damage:
        outdated, wrong = _points_table(state, plan)
        damage += wrong
    late, broken = _analysis(inventory)
    kinds = {
        "grid and plan": ([directory.grid, directory.plan], ""),
        "parts": (
            [directory.rows / n.file for n in parts.names],
            f"{counted(parts.rows, 'row')}, {counted(len(parts.ends), 'end')}",
        ),
        "checkpoints": (inventory.checkpoints, ""),
        "weights": (inventory.weights, ""),
        "points.parquet": ([directory.points], ""),
        "analysis": ([*inventory.within(directory.analysis), directory.report], ""),
    }
    return Inspection(
        sweep=directory.name,
        checked=tuple(_checked(what, files, sizes, holds) for what, (files, holds) in kinds.items()),
        damage=tuple(damage + broken),
        waste=tuple(_waste(inventory, parts)),
        outdated=tuple(outdated + late),
        bytes=sum(sizes.values()),
    )


def _checked(what: str, files: Iterable[AnyPath], sizes: Mapping[AnyPath, int], holds: str) -> Checked:
    present = [sizes[path] for path in files if path in sizes]
    return Checked(what=what, files=len(present), bytes=sum(present), holds=holds)


def _described(state: SweepState) -> tuple[PlanFile | None, list[Fault]]:
    """The plan, unless something is wrong with it, and the faults of grid and plan."""
    directory, faults = state.directory, []
    again = {
        directory.grid: "the next 'sweeper run GRID' writes it anew",
        directory.plan: "the next run writes it anew; points that have not ended start again",
    }
    for path, consequence in again.items():
        if path in state.problems:
            absent = state.versions[path] is None
            why = "is missing" if absent else reason(state.problems[path], str(path))
            faults.append(Fault(file=path.name, why=why, again=consequence, repairable=not absent))
    if state.plan is not None and (why := _inconsistent(state.grid, state.plan)):
        return None, [*faults, Fault(file=directory.plan.name, why=why, again=again[directory.plan])]
    return state.plan, faults


def _inconsistent(grid: Grid | None, plan: PlanFile) -> str:
    """The contradiction in a plan that can be read; empty if there is none."""
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


def _given_up(state: SweepState) -> list[Fault]:
    folder = f"{state.directory.given_up}/"
    damaged = [path for path in state.problems if str(path).startswith(folder)]
    return [Fault(file=state.directory.inside(path), why="not JSON with a cause") for path in damaged]


def _weights(inventory: Inventory) -> list[Fault]:
    return [
        Fault(file=f"weights/{path.name}", why="its content is not what its name says")
        for path in inventory.weights
        if not has_intact_weights(path)
    ]


def _points_table(state: SweepState, plan: PlanFile) -> tuple[list[Fault], list[Fault]]:
    """Compare ``points.parquet`` with ledger and plan; whether it is outdated, and what is wrong in it."""
    directory, ends = state.directory, state.ledger
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
    return Fault(
        file=directory.inside(path), why=why, again=f"{command('sweeper', 'analyze', directory.root)} writes it anew"
    )


def _agrees(row: Mapping[Hashable, object], end: PointEnd | None, plan: PlanFile) -> bool:
    """Whether a row of the table of points agrees with ledger and plan, if it is of the same training."""
    if end is None or (row["pack"], row["attempt"]) != (end.pack, end.attempt):
        return True
    point = plan.points.get(end.point)
    axes = {**point.axes(), "budget": point.budget} if point else {}
    return all(_same(row[name], value) for name, value in {**axes, **asdict(end)}.items() if name in row)


def _same(stored: object, value: object) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return stored is None or stored != stored  # noqa: PLR0124 - nan, whatever its type
    return stored == value or str(stored) == (str(value).lower() if isinstance(value, bool) else str(value))


def _analysis(inventory: Inventory) -> tuple[list[Fault], list[Fault]]:
    """The files of the analysis that are missing or made of other parts, and those that cannot be read."""
    directory, late, broken = inventory.state.directory, [], []
    tables = [directory.analysis / f"{name}.parquet" for name in _TABLES]
    found = [path for path in inventory.within(directory.analysis / "figures") if path.suffix in _FIGURE]
    drawn = sorted({path.with_suffix(ending) for path in found for ending in _FIGURE}, key=str)
    for path in (*tables, directory.verdicts, directory.report, *drawn):
        if path not in inventory.sizes:
            late += [_for_analysis(path, directory, "is missing")] if directory.points in inventory.sizes else []
        elif why := _unreadable(path, directory):
            broken.append(_for_analysis(path, directory, why))
        elif is_of_other_parts(_generation(path, directory), inventory.state.footers):
            late.append(_for_analysis(path, directory, "made of other parts"))
    return late, broken


def _generation(path: AnyPath, directory: SweepDir) -> Generation | None:
    """Return the generation that a table or the verdicts say they were made of."""
    if path.suffix == ".parquet":
        return stored_generation(path)
    return parse_generation(read_verdicts(directory).generation) if path == directory.verdicts else None


def _unreadable(path: AnyPath, directory: SweepDir) -> str:
    """The reason why a file of the analysis cannot be read; empty if it can."""
    try:
        if path.suffix == ".parquet":
            read_parquet(path)
        elif path == directory.verdicts:
            read_verdicts(directory)
        elif not size_of(path):
            return "empty"
    except StoreError:
        raise
    except (pa.ArrowException, InputError, OSError, ValueError) as error:
        return reason(error, str(path))
    return ""


def _waste(inventory: Inventory, parts: PartChecks) -> Iterator[Fault]:
    for name in parts.waste():
        yield Fault(file=f"rows/{name.file}", why="a later attempt has taken over from it")
    if not inventory.state.problems_of_ledger:  # parts that cannot be read do not say what they need
        for path in unused_checkpoints(inventory.state, inventory.checkpoints):
            yield Fault(file=f"checkpoints/{path.name}", why="no pack goes on from it")
    for path in inventory.temporary:
        yield Fault(file=inventory.state.directory.inside(path), why="left by a process that was killed")
