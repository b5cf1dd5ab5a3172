"""Parallel map by a few daemon threads."""

from collections.abc import Callable, Iterator
from threading import Lock, Thread
from typing import TypeVar

_Item = TypeVar("_Item")


def in_parallel(work: Callable[[_Item], object], items: Iterator[_Item], threads: int) -> None:
    """Call ``work`` on each of ``items`` by a few threads, and return when no thread works any more.

    The threads are daemons, unlike those of ``concurrent.futures``: a program that is interrupted waits for none.

    Args:
        work: the function to call.
        items: the arguments, which are made one at a time.
        threads: number of threads.

    Raises:
        Exception: the first error that ``work`` or ``items`` raised; items that were not begun by then are left out.
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
        except Exception as error:  # raised in the thread of the caller
            errors.append(error)

    pool = [Thread(target=serve, name=f"parallel-{i}", daemon=True) for i in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    if errors:
        raise errors[0]
