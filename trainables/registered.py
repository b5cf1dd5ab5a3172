"""Functions registered in this process under names that a grid can hold, such as ``trainables.registered:task_3``.

They may be functions that cannot be imported, such as a lambda.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from trainables.task import Task, task_of

_REGISTERED: dict[str, Callable[[], Task]] = {}
_NUMBERS = count(1)


def __getattr__(name: str) -> Callable[[], Task]:
    if name not in _REGISTERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _REGISTERED[name]


@contextmanager
def registered(function: Callable[[], Task]) -> Iterator[str]:
    """Register ``function`` while the block runs, and yield its name.

    The name is never used again. Afterwards nothing keeps the function's model and data.
    """
    name = f"task_{next(_NUMBERS)}"
    _REGISTERED[name] = function
    try:
        yield f"{__name__}:{name}"
    finally:
        del _REGISTERED[name]
        task_of.cache_clear()
