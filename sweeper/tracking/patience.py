"""How long a command waits for a tracker: for seconds, whatever the tracker does."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

SERVER_SECONDS = 30.0  # for a server, and one more for each step that it takes: a point, a file, a page of a search
FILE_SECONDS = 120.0  # the same for a file here, which somebody else may be making on a slow disk
SAY_SECONDS = 8.0  # after which the screen says that the command waits; to make a file takes 2 to 6 s
RETRY_SECONDS = (1.0, 2.0)  # before a request that failed is tried again
_Result = TypeVar("_Result")


def in_time(work: Callable[[], _Result], seconds: float, steps: Callable[[], int], say: Callable[[], None]) -> _Result:
    """Call ``work`` in a thread of its own, and leave the thread to itself if it takes too long.

    An address may lead to anything: a server that answers a byte a minute, or with pages without end. No time-out of
    one request helps against all of them.

    Args:
        work: the function to call. It may still run when this call has ended.
        seconds: time for the work, and one second more for each of its steps.
        steps: returns how many steps ``work`` has made.
        say: is called once if the work takes longer than ``SAY_SECONDS``.

    Returns:
        The result of ``work``.

    Raises:
        TimeoutError: it takes too long.
        Exception: ``work`` raised it.
    """
    results, errors = list[_Result](), list[BaseException]()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised in the thread of the caller
            errors.append(error)

    thread = threading.Thread(target=run, name="mlflow-end", daemon=True)
    began, said, before = time.monotonic(), False, steps()
    thread.start()
    while thread.is_alive():
        thread.join(0.05)
        waited = time.monotonic() - began
        if waited > SAY_SECONDS and not said:
            said = True
            say()
        if waited > seconds + steps() - before:
            raise TimeoutError(f"it has not taken everything after {waited:.0f} s")
    if errors:
        raise errors[0]
    return results[0]


def try_again(work: Callable[[], _Result], kind: type[Exception]) -> _Result:
    """Call ``work``, twice more if it raises an error of ``kind``, since a server may start again."""
    for wait in RETRY_SECONDS:
        try:
            return work()
        except kind:
            time.sleep(wait)
    return work()
