"""Files of no use any more: parts that do not count, checkpoints that no pack goes on from, and temporary files."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from results.store.parts import remove_parts, superseded_parts
from results.store.paths import AnyPath
from results.store.state import SweepState, read_state
from results.store.sweep_dir import leftovers
from sweeper.worker.checkpoints import checkpoint_files


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
