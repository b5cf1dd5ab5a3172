"""One run at a time in an object store, whoever dies or sleeps."""

import io
import secrets
import signal
import subprocess
import sys

import pytest
from rich.console import Console
from store_support import s3_store

from results.store.files import sizes_in
from results.store.paths import ObjectPath, any_path
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.lock import lease
from sweeper.lock.lock import holder, locked

HOLDER = """
import sys, time
from results.store.paths import any_path
from results.store.sweep_dir import SweepDir
from sweeper.lock import lease
from sweeper.lock.lock import locked
lease.RENEWAL_SECONDS = float(sys.argv[2])
with locked(SweepDir(any_path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def server():
    with s3_store() as process:
        yield process


@pytest.fixture
def sweep(server):
    return SweepDir(any_path(f"s3://sweeps/{secrets.token_hex(4)}/demo"))


@pytest.fixture
def other(sweep):
    """Another process that holds the sweep; it leaves when it is told a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(sweep.root), "0.1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def soon(monkeypatch):
    """A lease that ends after a second."""
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 0.1)


@pytest.fixture
def elsewhere(monkeypatch):
    """Other processes seem to be on another machine: nobody can look whether they live."""
    monkeypatch.setattr(
        lease, "_process_namespace", lambda: "another machine, or container, which may have the same name"
    )


def test_a_second_process_is_refused_and_told_who_holds_the_sweep(sweep, other, soon):
    with pytest.raises(InputError, match=f"is being run already, by process {other.pid} on "), locked(sweep):
        pytest.fail("two hold it")
    assert holder(sweep).startswith(f"process {other.pid} on ")


def test_whoever_has_left_holds_nothing(sweep, other):
    other.communicate("leave\n")
    assert holder(sweep) is None
    with locked(sweep):
        assert holder(sweep)
    assert list(sizes_in(sweep.lock)) == ["000002"]


def test_whoever_was_killed_on_this_machine_holds_nothing(sweep, other):
    other.kill()
    other.wait()
    assert holder(sweep) is None
    with locked(sweep):
        pass


def test_whoever_was_killed_elsewhere_is_waited_for(sweep, other, soon, elsewhere):
    other.kill()
    other.wait()
    said = io.StringIO()
    with locked(sweep, Console(file=said, width=200)):
        assert list(sizes_in(sweep.lock)) == ["000002"]
    assert said.getvalue().startswith(f"waiting 1 s for a sign of life of process {other.pid} on ")


def test_whoever_was_overtaken_in_its_sleep_ends_when_it_wakes(sweep, other, soon, elsewhere):
    other.send_signal(signal.SIGSTOP)
    with locked(sweep):
        other.send_signal(signal.SIGCONT)
        assert other.wait(timeout=30) == 2
        assert "another run has taken this sweep over" in other.stderr.read()
    assert list(sizes_in(sweep.lock)) == ["000002"]


def test_whoever_was_slower_is_refused(sweep, monkeypatch):
    """Both found nobody there; one has created the number when the other asks for it."""
    latest = lease._latest_number
    monkeypatch.setattr(lease, "_latest_number", lambda directory: 0)
    with locked(sweep), pytest.raises(InputError, match="by another process"), locked(sweep):
        pytest.fail("two hold it")
    assert latest(sweep) == 1


def test_a_store_that_cannot_say_who_was_first_is_refused(monkeypatch):
    monkeypatch.setattr(ObjectPath, "create", ObjectPath.write)
    sweep = SweepDir(any_path(f"memory://sweeps/{secrets.token_hex(4)}"))
    with pytest.raises(InputError, match="If-None-Match"), locked(sweep):
        pytest.fail("not safe")
