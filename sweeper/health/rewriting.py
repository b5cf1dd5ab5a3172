"""Rewriting of packs: their parts become one, with the columns, the points and the ends that are to stay."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from results.store.attempts import claim
from results.store.commits import Commit, Footer
from results.store.part_names import PartName
from results.store.parts import all_parts_in, compact, read_part, remove_parts, superseded_parts
from results.store.state import SweepState
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from sweeper.worker.checkpoints import NO_CHECKPOINT, Restart, restart_after, save_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOfRows:
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


def with_stored_columns(state: SweepState, schema: pa.Schema) -> pa.Schema:
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
    directory: SweepDir, footers: Mapping[PartName, Footer], planned: Collection[str] | None, table: TableOfRows
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
    commits = {name: footer.commit for name, footer in footers.items()}
    restart = Restart(names=names) if finished else restart_after(directory, commits)
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
