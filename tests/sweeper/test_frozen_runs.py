"""A run that slept while another took its sweep over changes nothing when it wakes, whatever it was about to do."""

import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from crash_support import commit_always
from faults_support import assert_same, table, wait_for
from store_support import s3_store
from tests_support import SMALL

from results.store.files import names_in
from results.store.paths import ObjectPath, any_path
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver.run import run_sweep
from sweeper.health.verify import verify
from sweeper.lock import lease
from sweeper.lock.lease import LeaseLostError

FIRST = ("axes.lam=[0.01, 0.1]", "measure={log: 3}", "resources.pack=2", "recovery.commit_seconds=0")
GAINED = (*FIRST, "axes.model.width=[16, 8]")
CHANGES = ("write", "create", "unlink")


class _Stopped(BaseException):
    """The first run was interrupted; like no Exception, nothing may catch it."""


@pytest.fixture
def patient(monkeypatch):
    """Leases that end at once, and a heartbeat that never notices: that of a machine that was suspended."""
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.0)
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 1e6)
    commit_always(monkeypatch)


@contextmanager
def before_change(at, act):
    """Call ``act`` before change number ``at`` of a store, and before that change asks for the lease."""
    count = [0]

    def counting(change):
        def changed(path, *arguments, **options):
            count[0] += 1
            if count[0] - 1 == at:
                act()
            return change(path, *arguments, **options)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(ObjectPath, name, counting(getattr(ObjectPath, name)))
        yield count


def _begun(quiet):
    """A sweep in a store of this process: half trained, and of a grid that has gained an axis since."""
    out = any_path(f"memory://sweeps/{secrets.token_hex(4)}")

    def stop():
        raise _Stopped

    with pytest.raises(_Stopped), before_change(30, stop):
        run_sweep(load_grid(SMALL, "small.yaml", FIRST), out, InProcessBackend, None, quiet)
    return out


@pytest.fixture
def whole(quiet, patient):
    """The same sweep, and how often its second run changes the store."""
    out = _begun(quiet)
    with before_change(None, None) as count:
        run_sweep(load_grid(SMALL, "small.yaml", GAINED), out, InProcessBackend, None, quiet)
    return SweepDir(out / "small"), count[0]


@pytest.mark.parametrize("eighth", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 8))])
def test_whoever_sleeps_before_any_change_takes_nothing_from_the_run_that_took_over(whole, quiet, eighth):
    reference, changes = whole
    grid = load_grid(SMALL, "small.yaml", GAINED)
    assert changes > 40
    at = 4 + eighth * (changes - 4) // 8  # the changes before are of the lease itself
    out, took = _begun(quiet), []

    def take_over():
        took.append(run_sweep(grid, out, InProcessBackend, None, quiet))

    with before_change(at, take_over), pytest.raises(LeaseLostError, match="another run has taken this sweep over"):
        run_sweep(grid, out, InProcessBackend, None, quiet)
    assert took[0].missing == 0
    directory = SweepDir(out / "small")
    assert_same(directory, reference)
    assert len(read_points(directory)) == 8
    found, _ = verify(directory)
    assert (found.damage, found.outdated) == ((), ())


def test_a_repair_that_slept_drops_nothing_of_the_run_that_took_over(whole, quiet):
    grid, out = load_grid(SMALL, "small.yaml", GAINED), _begun(quiet)
    directory = SweepDir(out / "small")
    path = directory.rows / names_in(directory.rows)[0]
    path.write(path.read_bytes()[:-9])
    with (
        before_change(4, lambda: run_sweep(grid, out, InProcessBackend, None, quiet)),
        pytest.raises(LeaseLostError, match="this one ends"),
    ):
        verify(directory, repair=True)
    assert_same(directory, whole[0])
    assert not verify(directory)[0].damage


SLEEPER = """
import os, signal, sys
from results.store.files import names_in
from results.store.paths import ObjectPath
from sweeper.cli.app import main
from sweeper.lock import lease

lease.RENEWAL_SECONDS = 1e6  # it counts the time that the machine is awake, and so notices nothing
create, folder = ObjectPath.create, sys.argv.pop(1)

def sleep_before(path, content):
    global folder
    if folder and f"/{folder}/" in str(path):
        folder = ""
        os.kill(os.getpid(), signal.SIGSTOP)
    create(path, content)

ObjectPath.create = sleep_before
main()
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_process_that_wakes_up_in_its_preparation_ends_with_a_line(tmp_path, quiet, patient, monkeypatch):
    """It is about to claim the pack that it puts together anew."""
    (tmp_path / "small.yaml").write_text(SMALL)
    with s3_store():
        out = any_path(f"s3://sweeps/{secrets.token_hex(4)}")
        run_sweep(load_grid(SMALL, "small.yaml", FIRST), out, InProcessBackend, None, quiet)
        settings = [word for setting in GAINED for word in ("--set", setting)]
        words = ["run", str(tmp_path / "small.yaml"), "--out", str(out), "--backend", "inprocess", *settings]
        with subprocess.Popen(
            [sys.executable, "-c", SLEEPER, "attempts", *words], stderr=subprocess.PIPE, text=True
        ) as sleeper:
            try:
                wait_for(lambda: Path(f"/proc/{sleeper.pid}/stat").read_text().split()[2] == "T", sleeper)
                monkeypatch.setattr(lease, "_process_namespace", lambda: "another machine")
                grid = load_grid(SMALL, "small.yaml", GAINED)
                assert run_sweep(grid, out, InProcessBackend, None, quiet).missing == 0
                before = table(SweepDir(out / "small"))
                sleeper.send_signal(signal.SIGCONT)
                _, said = sleeper.communicate(timeout=60)
            finally:
                sleeper.kill()
        assert sleeper.returncode == 2
        assert "another run has taken this sweep over; this one ends" in said
        assert "Traceback" not in said
        assert len(before) > 0
        assert table(SweepDir(out / "small")).equals(before)
        assert not verify(SweepDir(out / "small"))[0].damage
