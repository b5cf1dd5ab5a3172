"""Code of users that ends its process: this thread raises instead, all others leave as always."""

import os
import sys
import threading

import pytest

from trainables.user_code import ProcessExitError, UserCodeError, exits_raise, user_code


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


def raises(error):
    raise error


class OtherBase(BaseException):
    pass


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (lambda: sys.exit(0), SystemExit),
        (lambda: os._exit(0), ProcessExitError),
        (lambda: raises(GeneratorExit()), GeneratorExit),
        (lambda: raises(StopIteration()), StopIteration),
        (lambda: raises(OtherBase()), OtherBase),
        (lambda: raises(ValueError()), ValueError),
    ],
)
def test_whatever_leaves_the_code_is_an_error_of_the_user(code, kind):
    with pytest.raises(UserCodeError) as caught, user_code():
        code()
    assert type(caught.value.error) is kind


def test_an_interrupt_and_what_is_named_already_pass():
    with pytest.raises(KeyboardInterrupt), user_code():
        raise KeyboardInterrupt
    named = UserCodeError(ValueError())
    with pytest.raises(UserCodeError) as caught, user_code():
        raise named
    assert caught.value is named
