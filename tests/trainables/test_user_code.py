"""Code of users that ends its process: this thread raises instead, all others leave as always."""

import os
import threading

import pytest

from trainables.user_code import ProcessExitError, exits_raise


def leaves():
    try:
        os._exit(3)
    except Exception:
        pytest.fail("the code that called it must not go on")


def test_an_exit_of_this_thread_raises():
    leave = os._exit
    with pytest.raises(ProcessExitError, match=r"os\._exit\(3\) was called"), exits_raise():
        leaves()
    assert os._exit is leave


def test_a_process_that_was_forked_leaves():
    with exits_raise():
        child = os.fork()
        if child == 0:
            os._exit(7)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_another_thread_calls_the_real_one(monkeypatch):
    called = []
    monkeypatch.setattr(os, "_exit", called.append)
    with exits_raise():
        thread = threading.Thread(target=lambda: os._exit(9))
        thread.start(), thread.join()
    assert called == [9]
