"""Removal of what is damaged, so that the next run trains it again."""

from collections.abc import Sequence

from results.store.files import write_bytes
from results.store.parts import all_parts_in, remove_parts
from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.health.damage import remove_without
from sweeper.health.inspection import Fault
from sweeper.worker.checkpoints import restart_after


def remove_damage(directory: SweepDir, damage: Sequence[Fault]) -> None:
    """Remove damaged files, then the parts that do not count without them or that training cannot continue from.

    Args:
        directory: the sweep.
        damage: what ``verify`` has found.
    """
    for fault in damage:
        path = directory.root / fault.file
        if fault.repairable and path.is_file():
            if path == directory.grid:  # a person may still read it
                write_bytes(path.with_name(f"{path.name}.damaged"), path.read_bytes())
            path.unlink()
    try:
        names = all_parts_in(directory)
    except InputError:  # a file among the parts that is none of ours is in the way
        return
    remove_without(directory, names, ())
    _remove_parts_behind_checkpoints(read_state(directory))


def _remove_parts_behind_checkpoints(state: SweepState) -> None:
    """Remove the parts of unfinished packs that lie behind the last intact checkpoint, where that is not their own.

    A worker trains again what they hold. Parts of packs that no plan knows stay: the next run sorts them.
    """
    for pack, footers in state.footers_by_pack.items():
        planned = state.pack_points.get(pack, ())
        ended = {end.point for footer in footers.values() for end in footer.commit.ends}
        last = list(footers.values())[-1].commit
        if planned and last.checkpoint is not None and not last.finished and not ended >= set(planned):
            commits = {name: footer.commit for name, footer in footers.items()}
            remove_parts(state.directory, footers.keys() - set(restart_after(state.directory, commits).names))
