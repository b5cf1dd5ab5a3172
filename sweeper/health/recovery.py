"""Repair of a sweep before a run, and cleaning after it. See docs/durability.md."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from results.store.files import clear
from results.store.parts import all_parts_in
from results.store.schema import table_schema
from results.store.state import SweepState, read_state
from search_spaces.points import Point, default_axis_values
from search_spaces.sections.grid import Grid
from sweeper.health.damage import find_defects, remove_without
from sweeper.health.leftovers import remove_leftovers
from sweeper.health.rewriting import TableOfRows, owners_of_ends, rewrite_pack, with_stored_columns


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
    damaged = find_defects(directory, sorted(names), before.footers).damaged
    for name, why in damaged.items():
        line = f"[yellow]damaged:[/] {name.file} is dropped ({escape(why)}); what it held is trained again"
        console.print(line, soft_wrap=True)
    remove_without(directory, names, damaged)
    state = remove_leftovers(before)
    state.refuse_unknown_ends()
    known = [*points, *(state.plan.points.values() if state.plan else ())]
    table = TableOfRows(
        schema=with_stored_columns(state, table_schema(known)),
        defaults=default_axis_values(grid, known),
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

    Stale workers are those of an earlier run. Their points stay only if no other pack has ended them since.

    Args:
        before: a state of the sweep.

    Returns:
        The state of the clean sweep.
    """
    state = remove_leftovers(before)
    unknown = state.footers_by_pack.keys() - state.pack_points.keys()
    if not unknown:
        return state
    owners = owners_of_ends(state.footers_by_pack, state.pack_points)
    for pack in unknown:
        footers = state.footers_by_pack[pack]
        schema = next(iter(footers.values())).columns
        rewrite_pack(state.directory, footers, None, TableOfRows(schema=schema, defaults={}, owners=owners))
    return read_state(state.directory, state)
