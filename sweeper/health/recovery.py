"""What is put in order before a run, and tidied after it. See docs/durability.md."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.markup import escape

from results.store.attempts import claim
from results.store.commits import Commit, Footer, is_this_version, read_commit, read_commits, read_footers
from results.store.files import clear
from results.store.part_names import PartName
from results.store.parts import (
    all_parts_in,
    compact,
    is_intact,
    read_part,
    remove_parts,
    superseded_parts,
    valid_parts_by_pack,
    valid_parts_in,
)
from results.store.paths import AnyPath
from results.store.plan_file import earlier_plan
from results.store.sweep_dir import SweepDir, leftovers, map_reads
from search_spaces.errors import InputError, reason
from search_spaces.outcome import Outcome
from search_spaces.points import Point, values_elsewhere
from search_spaces.sections.grid import Grid
from sweeper.worker.checkpoints import NO_CHECKPOINT, Restart, checkpoint_files, restart_after, save_checkpoint
from sweeper.worker.row_buffer import table_schema


def damaged_parts(directory: SweepDir, names: Sequence[PartName]) -> dict[PartName, str]:
    """Those of ``names`` that are not what their names say, or do not say what a part says, each with what is wrong.

    Every byte is read. Parts of another version of this program are not damaged.
    """
    damages = map_reads(directory, partial(_damage, directory), names)
    return {name: why for name, why in zip(names, damages, strict=True) if why}


def _damage(directory: SweepDir, name: PartName) -> str:
    try:
        if not is_intact(directory, name):
            return "its content is not what its name says"
        if is_this_version(directory, name):
            read_commit(directory, name)
    except FileNotFoundError:  # replaced since it was listed
        return ""
    except InputError as error:
        return reason(error, str(directory.rows / name.file))
    return ""


def drop_damaged_parts(directory: SweepDir, names: Iterable[PartName]) -> None:
    """Remove damaged parts, and those that no longer count without them: the next run trains again what they held."""
    remove_parts(
        directory, superseded_parts(directory)
    )  # first, or what an overtaken worker wrote could take their places
    remove_parts(directory, names)
    remove_parts(directory, superseded_parts(directory))


def remove_parts_behind_checkpoints(directory: SweepDir) -> None:
    """Remove the parts of packs under way that lie behind the last checkpoint that is whole, where that is not theirs.

    A worker trains again what they hold. Parts of packs that no plan knows stay: the next run sorts them.
    """
    plan = earlier_plan(directory)
    planned = plan.pack_points if plan else {}
    for pack, names in valid_parts_by_pack(directory).items():
        points = planned.get(pack, ())
        commits = read_commits(directory, names)
        ended = {end.point for commit in commits for end in commit.ends}
        if points and commits[-1].checkpoint is not None and not commits[-1].finished and not ended >= set(points):
            remove_parts(directory, set(names) - set(restart_after(directory, names).names))


def unused_checkpoints(directory: SweepDir) -> list[AnyPath]:
    """Checkpoints that no part which counts goes on from: those of finished packs, and of writers that died."""
    files = checkpoint_files(directory)
    if not files:
        return []
    last: dict[str, Commit] = {}
    named, names = set(), valid_parts_in(directory)
    for name, commit in zip(names, read_commits(directory, names), strict=True):
        last[name.pack] = commit
        named.add((name.pack, commit.checkpoint))
    needed = {file for pack, file in named if not last[pack].finished}
    return [path for path in files if path.name not in needed]


def remove_leftovers(directory: SweepDir) -> None:
    """Remove what is of no use any more. Called under the lock of the sweep, while nothing of it trains.

    Attempts stay, also those of finished packs: a worker that was believed dead sees by them that others took over.
    """
    remove_parts(directory, superseded_parts(directory))
    for path in (*leftovers(directory), *unused_checkpoints(directory)):
        path.unlink(missing_ok=True)
    if isinstance(directory.checkpoints, Path):
        with suppress(OSError):  # not empty, or not there
            directory.checkpoints.rmdir()


def drop_stale_packs(directory: SweepDir) -> None:
    """After training: drop what workers that an earlier run left behind have trained of points of other packs since."""
    plan, by_pack = earlier_plan(directory), valid_parts_by_pack(directory)
    planned = plan.pack_points if plan else {}
    if strangers := by_pack.keys() - planned.keys():
        held = _held(directory, by_pack)
        owner = _owners(held, planned)
        for pack in strangers:
            schema = next(iter(held[pack].values())).columns
            rewrite_pack(directory, held[pack], schema, None, owner, {})


def prepare_for_run(directory: SweepDir, grid: Grid, points: Sequence[Point], console: Console) -> None:
    """Make the table ready to be continued. Called under the lock of the sweep, before training.

    Damaged parts go, and with them what was built on them. Points that failed are taken out, to be trained again, since
    their code may be mended by now, each alone. Points of packs that no plan knows stay only if they have ended. Every
    part gets the columns of all axes.

    Args:
        directory: the sweep.
        grid: of the run to come; it may have gained an axis.
        points: of the grid.
        console: for a line on what was damaged.
    """
    clear(directory.given_up)
    directory.stop.unlink(missing_ok=True)
    damaged = damaged_parts(directory, sorted(all_parts_in(directory)))
    for name, why in damaged.items():
        line = f"[yellow]damaged:[/] {name.file} is dropped ({escape(why)}); what it held is trained again"
        console.print(line, soft_wrap=True)
    drop_damaged_parts(directory, damaged)
    remove_leftovers(directory)
    earlier = earlier_plan(directory)
    known = [*points, *(earlier.points.values() if earlier else ())]
    packs = earlier.pack_points if earlier else {}
    schema, defaults = table_schema(known), values_elsewhere(grid, known)
    held = _held(directory, valid_parts_by_pack(directory))
    schema = _with_columns_of(directory, held, schema)
    owner = _owners(held, packs)
    for pack, footers in held.items():
        planned = packs.get(pack)
        if planned is not None and any(owner.get(id_, pack) != pack for id_ in planned):
            planned = None  # by an older plan that was put back, say: its points have ended in another pack
        rewrite_pack(directory, footers, schema, planned, owner, defaults)


_Footers = Mapping[PartName, Footer]
"""The parts of a pack that count, from the first on, each with what it says."""


def _held(directory: SweepDir, by_pack: Mapping[str, Sequence[PartName]]) -> dict[str, _Footers]:
    """What each pack has committed."""
    footers = iter(read_footers(directory, [name for names in by_pack.values() for name in names]))
    return {pack: dict(zip(names, footers, strict=False)) for pack, names in by_pack.items()}


def _owners(held: Mapping[str, _Footers], planned: Collection[str]) -> dict[str, str]:
    """Point to the pack that its end counts of; where two packs have ended it, one that is planned."""
    owner: dict[str, str] = {}
    for pack in sorted(held, key=lambda pack: (pack not in planned, pack)):
        for footer in held[pack].values():
            for end in footer.commit.ends:
                owner.setdefault(end.point, pack)
    return owner


def _with_columns_of(directory: SweepDir, held: Mapping[str, _Footers], schema: pa.Schema) -> pa.Schema:
    """``schema``, and the axes of points that neither grid nor plan know, since the plan was lost.

    Raises:
        InputError: an axis is text in one and a number in the other.
    """
    distinct = {id(each.columns): (pack, each.columns) for pack, them in held.items() for each in them.values()}
    for pack, columns in distinct.values():  # of 10,000 parts mostly one
        for field in columns:
            if field.name not in schema.names:
                schema = schema.append(field)
            elif schema.field(field.name).type != field.type:
                raise InputError(
                    f"{directory.rows}/{pack}-*: the column {field.name} is {field.type} there, but by the grid it is "
                    f"{schema.field(field.name).type}. Run this grid under another --name."
                )
    return schema


def rewrite_pack(
    directory: SweepDir,
    footers: _Footers,
    schema: pa.Schema,
    planned: Collection[str] | None,
    owner: Mapping[str, str],
    defaults: Mapping[str, object],
) -> None:
    """Compact the parts of a pack, if they need any change.

    Args:
        directory: the sweep.
        footers: of the parts that count.
        schema: of the table.
        planned: points of the pack; None if it is not known, or not to be gone on with.
        owner: point to the pack that its end counts of.
        defaults: values of axes that the pack's points were not on.
    """
    names = tuple(footers)
    pack = names[0].pack
    ends = {end.point: end for footer in footers.values() for end in footer.commit.ends}
    failed = {id_ for id_, end in ends.items() if end.outcome is Outcome.FAILED}
    candidates = ends.keys() if planned is None else planned
    keep = {id_ for id_ in candidates if id_ not in failed and owner.get(id_, pack) == pack}
    finished = planned is None or ends.keys() >= set(planned)
    same = all(footer.columns.equals(schema) for footer in footers.values())
    as_it_is = same and (planned is not None or _points(directory, names) <= keep)
    if as_it_is and not failed and finished == footers[names[-1]].commit.finished:
        return
    restart = Restart(names=names) if finished else restart_after(directory, names)
    state = restart.checkpoint
    if failed.intersection(state.points):  # from its middle a point that failed could not be trained anew
        state, keep = NO_CHECKPOINT, keep & ends.keys()
    if not restart.names or not keep:
        latest = max(name.attempt for name in names)  # later ones are of a run that took over while this one slept
        remove_parts(directory, {name for name in all_parts_in(directory, pack) if name.attempt <= latest})
        return
    checkpoint = read_commit(directory, restart.names[-1]).checkpoint
    if failed:
        checkpoint = save_checkpoint(directory, pack, replace(state, together=1))
    attempt = claim(directory, pack)
    compact(
        directory,
        restart.names,
        attempt,
        schema,
        keep=keep,
        commit=Commit(checkpoint=checkpoint, finished=finished and not failed),
        defaults=defaults,
    )
    remove_parts(directory, superseded_parts(directory, pack))


def _points(directory: SweepDir, names: Iterable[PartName]) -> set[str]:
    """Ids of the points that have rows."""
    return {id_ for name in names for id_ in set(read_part(directory, name, ["point"])["point"].to_pylist())}
