"""Work shared by a few threads."""

import threading
import time

import pytest

from sweeper.tracking.parallel import in_parallel


@pytest.mark.parametrize("threads", [1, 4])
def test_everything_is_done_once(threads):
    done = []
    in_parallel(done.append, iter(range(100)), threads)
    assert sorted(done) == list(range(100))


def test_so_many_are_at_work_at_once():
    together = threading.Barrier(3)
    in_parallel(lambda _: together.wait(20), iter(range(6)), 3)
    assert not together.broken


def test_an_error_is_raised_once_nobody_is_at_work_any_more():
    at_work, begun, both = [], [], threading.Barrier(2)

    def work(item):
        begun.append(item)
        both.wait(20)
        if item == 0:
            raise ConnectionError("gone")
        time.sleep(0.2)
        at_work.append(item)

    with pytest.raises(ConnectionError, match="gone"):
        in_parallel(work, iter(range(1000)), 2)
    assert (begun, at_work) == ([0, 1], [1])


def test_an_error_in_the_making_of_things_is_raised():
    def items():
        yield 1
        raise OSError("a part is damaged")

    with pytest.raises(OSError, match="a part is damaged"):
        in_parallel(print, items(), 2)
