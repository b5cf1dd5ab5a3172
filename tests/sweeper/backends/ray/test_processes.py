"""Packs of several processes on a real Ray: minutes, since Ray Train starts them for each pack."""

import json
import os
import signal
import sys

import pytest
from faults_support import Sweep, assert_same, descendants, listeners, wait_for

from results.store.ledger import read_ends
from search_spaces.errors import InputError

pytestmark = [pytest.mark.ray, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

# Two micro-batches, one thread a process: a sum of two is the same in either order, so tables are equal bit for bit.
GRID = """
name: together
trainable:
  model: {name: cnn, channels: 8, dense: 16, pool: 2, batch_norm: running}
  data: {name: digits, train: 256}
  augment: {flip: true, crop: 1, mixup: 1.0}
  batch: 64
  micro_batch: 32
optimizer: {name: sgd, mu: 0.9}
axes: {eta: [0.02], lam: [0.01]}
budget: {rule: fixed, constant: 300}
measure: {every: {steps: 20}}
recovery: {commit_seconds: 0.1}
"""
TOGETHER = "resources={processes_per_pack: 2, cpus_per_pack: 2}"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The same sweep by one process."""
    sweep = Sweep(tmp_path_factory.mktemp("reference"), text=GRID)
    sweep.run()
    return sweep.directory


def processes(pid):
    """Those that train the point together, the leader among them."""
    return [p for p, line in descendants(pid).items() if line.startswith("ray::RayTrainWorker")]


def test_processes_that_fit_no_nodes_are_refused(ray_backend):
    resources = Sweep(".", "resources={processes_per_pack: 2, cpus_per_pack: 998}", text=GRID).grid.resources
    with pytest.raises(InputError, match=r"a pack asks for 998 CPUs and 0 GPUs in 2 processes, but the nodes do not"):
        ray_backend.request_capacity(resources)()


@pytest.mark.slow
def test_processes_listen_on_loopback_alone_and_give_the_table_of_one(tmp_path, reference):
    sweep = Sweep(tmp_path, TOGETHER, text=GRID)
    with sweep.running() as process:
        sweep.wait_for_parts(2, process)
        assert len(processes(process.pid)) == 2
        addresses = listeners(descendants(process.pid))
        assert process.wait(300) == 0
    assert len(addresses) > 0
    assert {a for a in addresses if not a.endswith("0100007F")} <= {"00000000000000000000000001000000"}
    assert_same(sweep.directory, reference)


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_is_killed_costs_no_row(tmp_path, reference, which):
    """Either is the leader: the process ids come in no order of ranks, so both are tried."""
    sweep = Sweep(tmp_path, TOGETHER, text=GRID)
    with sweep.running() as process:
        sweep.wait_for_parts(2, process)
        os.kill(sorted(processes(process.pid))[which], signal.SIGKILL)
        assert process.wait(300) == 0
    assert_same(sweep.directory, reference)
    (end,) = read_ends(sweep.directory).values()
    assert end.attempt > 0


@pytest.mark.slow
def test_a_sweep_goes_on_with_another_number_of_processes(tmp_path, reference):
    """Also where a signal, not a fault, ends the first of them."""
    for changes, backend in (((TOGETHER,), "ray"), ((), "inprocess"), ((TOGETHER,), "ray")):
        sweep = Sweep(tmp_path, *changes, text=GRID)
        with sweep.running("--backend", backend) as process:
            before = len(list(sweep.directory.rows.glob("*.parquet"))) if sweep.directory.rows.exists() else 0
            sweep.wait_for_parts(before + 2, process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(100) == 130
    assert not read_ends(sweep.directory)
    assert Sweep(tmp_path, text=GRID).finish("--backend", "inprocess") == 0
    assert_same(sweep.directory, reference)


@pytest.mark.slow
def test_processes_that_die_at_every_attempt_are_given_up_by_name(tmp_path):
    sweep = Sweep(tmp_path, TOGETHER, "recovery.retries=1", text=GRID)
    with sweep.running() as process:
        for _ in range(2):
            before = len(list(sweep.directory.rows.glob("*.parquet"))) if sweep.directory.rows.exists() else 0
            wait_for(lambda seen=before: len(list(sweep.directory.rows.glob("*.parquet"))) > seen, process)
            os.kill(processes(process.pid)[0], signal.SIGKILL)
        assert process.wait(300) == 1
    (why,) = [json.loads(path.read_text())["why"] for path in sweep.directory.given_up.iterdir()]
    assert why.startswith("its worker died 2 times")
    assert "train the point together" in why
