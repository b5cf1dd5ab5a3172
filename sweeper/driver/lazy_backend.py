"""A backend that is opened when it is needed."""

from collections.abc import Callable
from types import TracebackType

from rich.console import Console

from search_spaces.sections.grid import Grid
from sweeper.backends import Backend
from sweeper.backends.capacity import Capacity

ONE_PROCESS = (
    "resources.processes_per_pack: the backend inprocess has one process, which takes all micro-batches of a step one "
    "after the other; the numbers are the same up to rounding."
)


class LazyBackend:
    """A backend that is opened at most once, and closed when the ``with`` block ends.

    Other machines may take seconds to say what they have. ``open`` asks them at once, and ``capacity`` waits for the
    answer, so that the sweep can be repaired in between.

    Args:
        open_backend: opens the backend.
        grid: the grid to train.
        console: for a line where the backend does not do what the grid says.
    """

    def __init__(self, open_backend: Callable[[], Backend], grid: Grid, console: Console) -> None:
        self._open_backend, self._grid, self._console = open_backend, grid, console
        self._backend: Backend | None = None
        self._answer: Callable[[], Capacity] | None = None

    def __enter__(self) -> "LazyBackend":
        """Open nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the backend if it was opened."""
        if self._backend is not None:
            self._backend.close()

    def open(self) -> Backend:
        """Open the backend, and ask what it has for packs of the grid.

        Raises:
            InputError: it has no place for a pack.
        """
        if self._backend is None:
            self._backend = self._open_backend()
            self._answer = self._backend.request_capacity(self._grid.resources)
        return self._backend

    def capacity(self) -> Capacity:
        """Wait until the backend has said what it has.

        Raises:
            InputError: a machine cannot train, since sweeper is not installed there, say.
        """
        backend = self.open()
        if self._grid.resources.processes_per_pack > 1 and backend.name == "inprocess":
            self._console.print(ONE_PROCESS, soft_wrap=True, highlight=False)
        assert self._answer is not None  # ``open`` has asked
        return self._answer()
