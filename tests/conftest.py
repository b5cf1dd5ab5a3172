"""A small grid, and backends on which the same tests run."""

import io
import signal

import pytest
from rich.console import Console
from run_support import next_plan
from tests_support import SMALL

from results.store.sweep_dir import SweepDir
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep

# A shell starts a job in the background with interrupts ignored, and its processes inherit that. Tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def small_grid():
    """The small grid with changes, as ``--set`` would make them."""
    return lambda *changes: load_grid(SMALL, "small.yaml", changes)


@pytest.fixture
def quiet():
    """A console that keeps what it is told."""
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def sweep(tmp_path, quiet):
    """Runs a grid to its report under ``tmp_path``; gives its account and directory."""

    def run(grid, open_backend=InProcessBackend):
        account = run_sweep(grid, tmp_path, open_backend, None, quiet)
        return account, SweepDir(tmp_path / grid.name)

    return run


@pytest.fixture
def train(tmp_path, quiet):
    """Trains what a grid lacks under ``tmp_path``, without analysis; gives directory, plan and what was heard."""

    def run(grid, open_backend=InProcessBackend):
        directory, backend, heard = SweepDir(tmp_path / grid.name), open_backend(), []
        plan = next_plan(directory, grid, backend, quiet)
        backend.run(directory, plan, grid, heard.append)
        return directory, plan, heard

    return run


@pytest.fixture(scope="session")
def ray_backend():
    """One Ray on loopback for all tests of a session."""
    ray_backend = pytest.importorskip("sweeper.backends.ray.backend")
    backend = ray_backend.RayBackend()
    yield backend
    backend.close()


class _Kept:
    """A backend that survives ``close``, so that several runs share it."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def close(self):
        pass


@pytest.fixture(params=["inprocess", pytest.param("ray", marks=pytest.mark.ray)])
def open_backend(request):
    """Opens each backend in turn."""
    if request.param == "inprocess":
        return InProcessBackend
    backend = request.getfixturevalue("ray_backend")
    return lambda: _Kept(backend)
