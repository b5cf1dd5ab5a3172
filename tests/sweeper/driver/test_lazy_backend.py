"""When a run opens its backend, asks it, and closes it."""

import pytest
from faults_support import flip_a_byte

from search_spaces.errors import InputError
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver import run


class _Asked(InProcessBackend):
    """Notes what is done with it."""

    def __init__(self):
        self.noted = ["opened"]

    def request_capacity(self, resources):
        self.noted.append("asked")
        return super().request_capacity(resources)

    def run(self, directory, plan, grid, notify):
        self.noted.append("run")
        super().run(directory, plan, grid, notify)

    def close(self):
        self.noted.append("closed")


def test_what_takes_time_to_answer_is_asked_before_the_sweep_is_put_in_order(sweep, small_grid, monkeypatch):
    backend, prepare_for_run = _Asked(), run.prepare_for_run
    monkeypatch.setattr(
        run, "prepare_for_run", lambda *how: (backend.noted.append("in order"), prepare_for_run(*how))[1]
    )
    sweep(small_grid(), lambda: backend)
    assert backend.noted == ["opened", "asked", "in order", "run", "closed"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("an axis was text")])
def test_a_backend_is_closed_whatever_keeps_the_sweep_from_being_put_in_order(sweep, small_grid, monkeypatch, error):
    backend = _Asked()

    def fails(*_how):
        raise error

    monkeypatch.setattr(run, "prepare_for_run", fails)
    with pytest.raises(type(error)):
        sweep(small_grid(), lambda: backend)
    assert backend.noted == ["opened", "asked", "closed"]


def test_a_backend_that_cannot_give_a_pack_what_it_asks_for_is_closed(sweep, small_grid):
    backend = _Asked()
    with pytest.raises(InputError, match=r"resources\.labels"):
        sweep(small_grid("resources.labels={zone: b}"), lambda: backend)
    assert backend.noted == ["opened", "asked", "closed"]


def test_where_all_has_ended_no_backend_is_opened_unless_something_failed_or_was_damaged(sweep, small_grid):
    sweep(small_grid())
    never = lambda: pytest.fail("opened")  # noqa: E731
    _, directory = sweep(small_grid(), never)
    flip_a_byte(next(directory.rows.iterdir()))
    backend = _Asked()
    account, _ = sweep(small_grid(), lambda: backend)
    assert backend.noted[-2:] == ["run", "closed"]
    assert account.missing == 0


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(sweep, small_grid, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="torch finds no GPU here"):
        sweep(small_grid("resources.gpus_per_pack=1"))
    assert not (tmp_path / "small").exists()
