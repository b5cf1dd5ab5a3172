"""Repair of a sweep before a run, and cleaning after it. See docs/durability.md."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.markup import escape

from results.store.attempts import claim
from results.store.commits import Commit, Footer, OtherVersionError, read_footer
from results.store.files import clear
from results.store.part_names import PartName, valid_parts
from results.store.parts import all_parts_in, compact, is_intact, read_part, remove_parts, superseded_parts
from results.store.paths import AnyPath
from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir, leftovers, map_reads
from search_spaces.errors import InputError, reason
from search_spaces.outcome import Outcome
from search_spaces.points import Point, values_elsewhere
from search_spaces.sections.grid import Grid
from sweeper.worker.checkpoints import NO_CHECKPOINT, Restart, checkpoint_files, restart_after, save_checkpoint
from sweeper.worker.row_buffer import table_schema


def prepare_for_run(before: SweepState, grid: Grid, points: Sequence[Point], console: Console) -> SweepState:
    """Repair a sweep, so that it can be continued. Called under its lock, before training.

    Damaged parts are removed, and with them the parts that were built on them. Points that failed are taken out, to be
    trained again, each alone, since their code may be mended by now. Points of packs that no plan knows stay only if
    they have ended. Every part gets the columns of all axes.

    Args:
        before: a state of the sweep.
        grid: the grid of the run to come; it may have gained an axis.
        points: all points of the grid.
        console: for a line on each damaged part.

    Returns:
        The state of the repaired sweep.

    Raises:
        InputError: a part is of another version of this program, or does not fit the axes of the grid.
    """
    directory = before.directory
    clear(directory.given_up)
    directory.stop.unlink(missing_ok=True)
    names = all_parts_in(directory)
    damaged = damaged_parts(directory, sorted(names), before.footers)
    for name, why in damaged.items():
        line = f"[yellow]damaged:[/] {name.file} is dropped ({escape(why)}); what it held is trained again"
        console.print(line, soft_wrap=True)
    remove_without(directory, names, damaged)
    state = remove_leftovers(before)
    state.refuse_unknown_ends()
    known = [*points, *(state.plan.points.values() if state.plan else ())]
    table = _Table(
        schema=_with_stored_columns(state, table_schema(known)),
        defaults=values_elsewhere(grid, known),
        owners=owners_of_ends(state.footers_by_pack, state.pack_points),
    )
    for pack, footers in state.footers_by_pack.items():
        planned = state.pack_points.get(pack)
        if planned is not None and any(table.owners.get(id_, pack) != pack for id_ in planned):
            planned = None  # by an older plan that was put back, say: its points have ended in another pack
        rewrite_pack(directory, footers, planned, table)
    return read_state(directory, state)


def clean_up(before: SweepState) -> SweepState:
    """Clean a sweep after training: remove leftovers, and drop what stale workers have trained meanwhile.

    Args:
        before: a state of the sweep.

    Returns:
        The state of the clean sweep.
    """
    state = remove_leftovers(before)
    return read_state(state.directory, state) if drop_stale_packs(state) else state


def damaged_parts(
    directory: SweepDir, names: Sequence[PartName], known: Collection[PartName] = ()
) -> dict[PartName, str]:
    """Find the parts whose content is not what their names say, or whose footer says nothing. Every byte is read.

    Parts of another version of this program are not damaged.

    Args:
        directory: the sweep.
        names: the parts to check.
        known: parts whose footer has been read already.

    Returns:
        Each damaged part with the reason.
    """
    reasons = map_reads(directory, partial(_damage, directory, known), names)
    return {name: why for name, why in zip(names, reasons, strict=True) if why}


def _damage(directory: SweepDir, known: Collection[PartName], name: PartName) -> str:
    """Why a part is damaged; empty if it is not."""
    try:
        if not is_intact(directory, name):
            return "its content is not what its name says"
        if name not in known:
            read_footer(directory, name)
    except (FileNotFoundError, OtherVersionError):  # the first: replaced since it was listed
        return ""
    except InputError as error:
        return reason(error, str(directory.rows / name.file))
    return ""


def remove_without(directory: SweepDir, names: Iterable[PartName], damaged: Collection[PartName]) -> None:
    """Remove damaged parts and all parts that do not count without them; the next run trains again what they held.

    Parts that do not count now are removed first. Otherwise those of an overtaken worker would come to count.

    Args:
        directory: the sweep.
        names: all its parts.
        damaged: the damaged ones among them.
    """
    names = set(names)
    valid = set(valid_parts(names))
    remove_parts(directory, names - valid)
    remove_parts(directory, valid - set(valid_parts(valid - set(damaged))))


def remove_parts_behind_checkpoints(state: SweepState) -> None:
    """Remove the parts of unfinished packs that lie behind the last intact checkpoint, where that is not their own.

    A worker trains again what they hold. Parts of packs that no plan knows stay: the next run sorts them.
    """
    for pack, footers in state.footers_by_pack.items():
        planned = state.pack_points.get(pack, ())
        ended = {end.point for footer in footers.values() for end in footer.commit.ends}
        last = list(footers.values())[-1].commit
        if planned and last.checkpoint is not None and not last.finished and not ended >= set(planned):
            remove_parts(state.directory, footers.keys() - set(restart_after(state.directory, list(footers)).names))


def unused_checkpoints(state: SweepState, files: Iterable[AnyPath]) -> list[AnyPath]:
    """Select the checkpoints that no valid part goes on from: those of finished packs, and of writers that died.

    Args:
        state: of the sweep, read after ``files`` were listed, so that no newer checkpoint is among them.
        files: checkpoints of the sweep.
    """
    last = {name.pack: commit for name, commit in state.commits.items()}
    needed = {commit.checkpoint for name, commit in state.commits.items() if not last[name.pack].finished}
    return [path for path in files if path.name not in needed]


def remove_leftovers(before: SweepState) -> SweepState:
    """Remove what is of no use any more. Called under the lock of the sweep, while nothing of it trains.

    Attempts stay, also those of finished packs: a worker that was believed dead sees by them that others took over.

    Args:
        before: a state of the sweep.

    Returns:
        The present state.
    """
    directory = before.directory
    remove_parts(directory, superseded_parts(directory))
    checkpoints = checkpoint_files(directory)  # listed before the state is read: see ``unused_checkpoints``
    state = read_state(directory, before)
    state.refuse_unknown_ends()
    for path in (*leftovers(directory), *unused_checkpoints(state, checkpoints)):
        path.unlink(missing_ok=True)
    if isinstance(directory.checkpoints, Path):
        with suppress(OSError):  # not empty, or not there
            directory.checkpoints.rmdir()
    return state


def drop_stale_packs(state: SweepState) -> bool:
    """Drop the points that stale workers of an earlier run have trained although they have ended in other packs since.

    Args:
        state: of the sweep after training.

    Returns:
        Whether there were packs that the plan does not know.
    """
    strangers = state.footers_by_pack.keys() - state.pack_points.keys()
    owners = owners_of_ends(state.footers_by_pack, state.pack_points)
    for pack in strangers:
        footers = state.footers_by_pack[pack]
        schema = next(iter(footers.values())).columns
        rewrite_pack(state.directory, footers, None, _Table(schema=schema, defaults={}, owners=owners))
    return bool(strangers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The table of rows that all packs are to fit into.

    Attributes:
        schema: of every part.
        defaults: values of axes that the points of a pack were not on.
        owners: each ended point with the pack that owns its end.
    """

    schema: pa.Schema
    defaults: Mapping[str, object]
    owners: Mapping[str, str]


def owners_of_ends(by_pack: Mapping[str, Mapping[PartName, Footer]], planned: Collection[str]) -> dict[str, str]:
    """Map each ended point to the pack that owns its end; where two packs have ended it, a planned one.

    Args:
        by_pack: pack id to its parts with their footers.
        planned: ids of the packs of the plan.
    """
    owners: dict[str, str] = {}
    for pack in sorted(by_pack, key=lambda pack: (pack not in planned, pack)):
        for footer in by_pack[pack].values():
            for end in footer.commit.ends:
                owners.setdefault(end.point, pack)
    return owners


def _with_stored_columns(state: SweepState, schema: pa.Schema) -> pa.Schema:
    """``schema``, and the axes of points that neither grid nor plan know, since the plan was lost.

    Raises:
        InputError: an axis is text in one and a number in the other.
    """
    distinct = {id(footer.columns): (name.pack, footer.columns) for name, footer in state.footers.items()}
    for pack, columns in distinct.values():  # of 10,000 parts mostly one
        for field in columns:
            if field.name not in schema.names:
                schema = schema.append(field)
            elif schema.field(field.name).type != field.type:
                raise InputError(
                    f"{state.directory.rows}/{pack}-*: the column {field.name} is {field.type} there, but by the grid "
                    f"it is {schema.field(field.name).type}. Run this grid under another --name."
                )
    return schema


def rewrite_pack(
    directory: SweepDir, footers: Mapping[PartName, Footer], planned: Collection[str] | None, table: _Table
) -> None:
    """Compact the parts of a pack, if they need any change.

    Args:
        directory: the sweep.
        footers: the parts of the pack that count, from the first on, with their footers.
        planned: ids of the pack's points; None if they are not known, or are not to be continued.
        table: the table that the parts are to fit into.
    """
    names = tuple(footers)
    pack = names[0].pack
    ends = {end.point: end for footer in footers.values() for end in footer.commit.ends}
    failed = {id_ for id_, end in ends.items() if end.outcome is Outcome.FAILED}
    candidates = ends.keys() if planned is None else planned
    keep = {id_ for id_ in candidates if id_ not in failed and table.owners.get(id_, pack) == pack}
    finished = planned is None or ends.keys() >= set(planned)
    fits = all(footer.columns.equals(table.schema) for footer in footers.values())
    unchanged = fits and (planned is not None or _points_with_rows(directory, names) <= keep)
    if unchanged and not failed and finished == footers[names[-1]].commit.finished:
        return
    restart = Restart(names=names) if finished else restart_after(directory, names)
    state = restart.checkpoint
    if failed.intersection(state.points):  # from its middle a point that failed could not be trained anew
        state, keep = NO_CHECKPOINT, keep & ends.keys()
    if not restart.names or not keep:
        latest = max(name.attempt for name in names)  # later ones are of a run that took over while this one slept
        remove_parts(directory, {name for name in all_parts_in(directory, pack) if name.attempt <= latest})
        return
    checkpoint = footers[restart.names[-1]].commit.checkpoint
    if failed:
        checkpoint = save_checkpoint(directory, pack, replace(state, together=1))
    commit = Commit(checkpoint=checkpoint, finished=finished and not failed)
    attempt = claim(directory, pack)
    compact(directory, restart.names, attempt, table.schema, keep=keep, commit=commit, defaults=table.defaults)
    remove_parts(directory, superseded_parts(directory, pack))


def _points_with_rows(directory: SweepDir, names: Iterable[PartName]) -> set[str]:
    """Ids of the points that have rows in these parts."""
    return {id_ for name in names for id_ in set(read_part(directory, name, ["point"])["point"].to_pylist())}
