"""The same work on many things, by a few threads."""

from collections.abc import Callable, Iterator
from threading import Lock, Thread
from typing import TypeVar

_Item = TypeVar("_Item")


def in_parallel(work: Callable[[_Item], object], items: Iterator[_Item], threads: int) -> None:
    """Do ``work`` on each of ``items``, which are made one at a time; return when no thread is at work any more.

    The threads are daemons, unlike those of ``concurrent.futures``: a program that is interrupted waits for none.

    Raises:
        Exception: the first that ``work`` or ``items`` raised; what was not begun by then is left out.
    """
    lock, errors = Lock(), list[Exception]()

    def serve() -> None:
        try:
            while not errors:
                with lock:
                    item = next(items, None)
                if item is None:
                    return
                work(item)
        except Exception as error:  # raised where the caller is
            errors.append(error)

    pool = [Thread(target=serve, name=f"parallel-{i}", daemon=True) for i in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    if errors:
        raise errors[0]
