"""Faults of the whole command, with real processes and real signals: minutes, run by ``make test-slow``."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults_support import (
    Sweep,
    assert_no_step_twice,
    assert_same,
    descendants,
    fill,
    flip_a_byte,
    held_by_mlflow,
    kill_all,
    ray_process,
    small_disk,
    training_workers,
    truncate,
    wait_for,
)

from results.store.ledger import read_ends
from results.store.parts import valid_parts_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
LONG = "budget.constant=2"  # some 15 s on two cores


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The same sweep, undisturbed."""
    sweep = Sweep(tmp_path_factory.mktemp("reference"), LONG)
    sweep.run()
    return sweep.directory


def killed(*names):
    """Kill these processes of our own Ray in one go."""

    def fault(process):
        for pid in [ray_process(process.pid, name) for name in names]:
            os.kill(pid, signal.SIGKILL)

    return fault


def a_worker_killed(process):
    wait_for(lambda: training_workers(process.pid))
    os.kill(training_workers(process.pid)[0], signal.SIGKILL)


@pytest.mark.parametrize(
    "fault",
    [a_worker_killed, killed("raylet"), killed("gcs_server"), killed("raylet", "gcs_server")],
    ids=["worker", "raylet", "gcs_server", "raylet and gcs_server"],
)
def test_ray_goes_on_by_itself(tmp_path, reference, fault):
    sweep = Sweep(tmp_path, LONG)
    with sweep.running() as process:
        sweep.wait_for_parts(3, process)
        fault(process)
        assert process.wait(300) == 0
    assert_same(sweep.directory, reference)


def test_ray_that_dies_twice_is_started_twice(tmp_path, reference):
    sweep = Sweep(tmp_path, LONG)
    with sweep.running() as process:
        for fault in (killed("raylet"), killed("gcs_server")):
            before = len(list(sweep.directory.rows.glob("*.parquet")))
            sweep.wait_for_parts(before + 3, process)
            fault(process)
        # The signals of the first Ray must not have changed what those of the user do.
        before = len(valid_parts_in(sweep.directory))
        sweep.wait_for_parts(before + 2, process)
        process.terminate()
        assert process.wait(60) == 130
    assert sweep.finish() == 0
    assert_same(sweep.directory, reference)


def test_a_killed_driver_leaves_a_sweep_that_the_same_command_completes(tmp_path, reference):
    sweep = Sweep(tmp_path, LONG)
    for _ in range(2):
        with sweep.running() as process:
            before = len(valid_parts_in(sweep.directory)) if sweep.directory.rows.exists() else 0
            sweep.wait_for_parts(before + 2, process)
            process.kill()
    assert sweep.finish() == 0
    assert_same(sweep.directory, reference)


@pytest.mark.parametrize(
    ("number", "send"),
    [(signal.SIGTERM, os.kill), (signal.SIGINT, os.kill), (signal.SIGINT, os.killpg)],
    ids=["SIGTERM, as of docker stop", "SIGINT", "SIGINT to all, as of a terminal"],
)
def test_a_signal_lets_workers_commit_and_leave(tmp_path, reference, number, send):
    sweep = Sweep(tmp_path, LONG, "recovery.commit_seconds=1000")
    with sweep.running() as process:
        wait_for(lambda: training_workers(process.pid), process)
        time.sleep(3)
        send(process.pid, number)
        assert process.wait(60) == 130
    assert valid_parts_in(sweep.directory)  # nothing but the signal can have committed them
    assert sweep.finish() == 0
    assert_same(sweep.directory, reference)


def test_a_signal_that_ends_ray_with_the_command_is_as_a_crash(tmp_path, reference):
    """Slurm and systemd send SIGTERM to every process of a job."""
    sweep = Sweep(tmp_path, LONG)
    with sweep.running() as process:
        sweep.wait_for_parts(3, process)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == 130
    assert sweep.finish() == 0
    assert_same(sweep.directory, reference)


def test_a_second_signal_stops_at_once(tmp_path, reference):
    sweep = Sweep(tmp_path, LONG)
    with sweep.running() as process:
        sweep.wait_for_parts(2, process)
        for pid in training_workers(process.pid):
            os.kill(pid, signal.SIGSTOP)  # these will not leave in good order
        process.send_signal(signal.SIGTERM)
        wait_for(sweep.directory.stop.exists, process)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
        assert time.monotonic() - began < 15  # the grace is 25 s
    assert sweep.finish() == 0
    assert_same(sweep.directory, reference)


def test_a_driver_that_was_stopped_does_not_take_its_workers_for_hung(tmp_path, reference):
    sweep = Sweep(tmp_path, LONG, "recovery.hang_seconds=6", "recovery.retries=0")
    with sweep.running() as process:
        sweep.wait_for_parts(2, process)
        process.send_signal(signal.SIGSTOP)
        time.sleep(9)
        process.send_signal(signal.SIGCONT)
        assert process.wait(300) == 0
    assert_same(sweep.directory, reference)


def test_a_worker_killed_at_every_attempt_is_given_up_by_name_and_goes_on_at_the_next_run(tmp_path, reference):
    """As the kernel does when memory runs out."""
    sweep = Sweep(tmp_path, LONG, "recovery.retries=1")
    with sweep.running() as process:
        while process.poll() is None:
            for pid in training_workers(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        assert process.returncode == 1
    given_up = [json.loads(path.read_text())["why"] for path in sweep.directory.given_up.iterdir()]
    assert given_up
    assert all(why.startswith("its worker died 2 times") for why in given_up)
    assert sweep.finish() == 0
    assert_same(sweep.directory, reference)


@pytest.mark.parametrize("backend", ["ray", "inprocess"])
def test_a_disk_that_stays_full_ends_the_run_with_status_1(tmp_path, reference, backend):
    with small_disk(tmp_path / "disk") as disk:
        sweep = Sweep(disk, LONG, "recovery.storage_seconds=3")
        sweep.streams = tmp_path / "streams"
        with sweep.running("--backend", backend) as process:
            sweep.wait_for_parts(3, process)
            filler = fill(disk)
            assert process.wait(120) == 1
        assert "No space left on device" in sweep.stderr
        filler.unlink()
        assert sweep.finish("--backend", backend) == 0
        assert_same(sweep.directory, reference)


def test_a_disk_that_is_full_for_a_while_only_delays_ray(tmp_path, reference):
    with small_disk(tmp_path / "disk") as disk:
        sweep = Sweep(disk, LONG)
        sweep.streams = tmp_path / "streams"
        with sweep.running() as process:
            sweep.wait_for_parts(3, process)
            filler = fill(disk)
            time.sleep(15)  # Tune saves its own state every ten seconds
            filler.unlink()
            assert process.wait(300) == 0
        assert_same(sweep.directory, reference)


@contextlib.contextmanager
def cluster(tmp_path, cpus=(1, 1)):
    """A Ray cluster of a head without CPUs and a node for each of ``cpus``, as 1 or 1:LABEL.

    Gives its address, the nodes' raylets, and how to add a node.
    """
    code = """
import sys, time
from sweeper.backends.ray import tune as ray_tune  # for the environment that keeps Ray on loopback
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})

def add(text):
    cpus, _, gpu = text.strip().partition(":")
    node = cluster.add_node(num_cpus=int(cpus), labels={"gpu": gpu} if gpu else {})
    print(next(info.process.pid for info in node.all_processes["raylet"]), flush=True)

for cpus in sys.argv[1:]:
    add(cpus)
print(cluster.address, flush=True)
for line in sys.stdin:
    add(line)
"""
    command = [sys.executable, "-c", code, *map(str, cpus)]
    log = (tmp_path / "cluster.log").open("w")
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, start_new_session=True)

    def add(cpus):
        print(cpus, file=process.stdin, flush=True)
        return int(process.stdout.readline())

    try:
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if ":" in line and line.strip().rpartition(":")[2].isdigit():
                break
        yield lines[-1], [int(pid) for pid in lines if pid.isdigit()], add
    finally:
        kill_all(process)
        log.close()


def test_a_node_of_a_cluster_that_dies_costs_no_row(tmp_path, reference):
    sweep = Sweep(tmp_path / "sweep", LONG)
    with cluster(tmp_path) as (address, raylets, _), sweep.running("--address", address) as process:
        sweep.wait_for_parts(4, process)
        for pid in reversed(descendants(raylets[0])):
            os.kill(pid, signal.SIGKILL)
        assert process.wait(300) == 0
    assert_same(sweep.directory, reference)


def test_nodes_come_and_go(tmp_path):
    """One that joins gets packs; one that is pre-empted loses what came after its last commit, and no more."""
    sweep, undisturbed = (Sweep(tmp_path / name, LONG, "resources.pack=1") for name in ("sweep", "undisturbed"))
    undisturbed.run()
    with cluster(tmp_path, (1,)) as (address, (first,), add), sweep.running("--address", address) as process:
        sweep.wait_for_parts(2, process)
        second = add(1)
        wait_for(lambda: training_workers(second), process)
        before = len(valid_parts_in(sweep.directory))
        for pid in reversed(descendants(first)):
            os.kill(pid, signal.SIGKILL)
        sweep.wait_for_parts(before + 1, process)
        third = add(1)
        wait_for(lambda: training_workers(third), process)
        assert process.wait(300) == 0
    assert_same(sweep.directory, undisturbed.directory)


def test_packs_go_where_the_labels_are(tmp_path, reference):
    sweep = Sweep(tmp_path / "sweep", LONG, "resources.labels={gpu: H100}")
    with cluster(tmp_path, ("1:A100", "1:H100")) as (address, (other, right), _):
        with sweep.running("--address", address, "--set", "resources.labels={gpu: L4}") as process:
            assert process.wait(100) == 2
        assert "no machine of the cluster has {gpu: L4}; there are gpu: A100, gpu: H100" in sweep.stderr
        with sweep.running("--address", address) as process:
            wait_for(lambda: training_workers(right), process)
            assert not training_workers(other)
            assert process.wait(300) == 0
    assert_same(sweep.directory, reference)


def heads():
    return {p for p, line in descendants(os.getpid()).items() if line.partition(" ")[0].endswith("/gcs_server")}


def test_a_cluster_that_goes_away_ends_the_run_with_the_reason(tmp_path, reference):
    sweep, others = Sweep(tmp_path / "sweep", LONG), heads()  # of the Ray that other tests share
    with cluster(tmp_path) as (address, *_), sweep.running("--address", address) as process:
        sweep.wait_for_parts(2, process)
        (head,) = heads() - others
        os.kill(head, signal.SIGKILL)
        assert process.wait(120) == 2
    assert f"--address {address}: Ray's head died" in sweep.stderr
    assert sweep.finish() == 0
    assert_same(sweep.directory, reference)


def test_two_sweeps_on_one_cluster_do_not_disturb_each_other(tmp_path, reference):
    one, two = Sweep(tmp_path / "one", LONG), Sweep(tmp_path / "two", LONG, "recovery.hang_seconds=1000")
    with (
        cluster(tmp_path, (2,)) as (address, *_),
        one.running("--address", address) as first,
        two.running("--address", address) as second,
    ):
        one.wait_for_parts(2, first)
        two.wait_for_parts(2, second)
        first.kill()
        assert second.wait(300) == 0
        assert one.finish("--address", address) == 0
    assert_same(one.directory, reference)
    assert_same(two.directory, reference)


@contextlib.contextmanager
def mlflow_server(folder, port):
    from sweeper.tracking.server import serve_ui

    folder.mkdir(exist_ok=True)
    argv, environment = serve_ui(folder, port)
    with (folder / "log").open("a") as log:
        server = subprocess.Popen(argv, env=environment, stdout=log, stderr=log, start_new_session=True, cwd=folder)
        try:
            wait_for(lambda: _answers(port), server)
            yield server
        finally:
            kill_all(server)


def _answers(port):
    import urllib.request

    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
    except OSError:
        return False
    return True


def _free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(("away", "ended"), [("at the start", 1), ("in the middle", 2), ("at the end", 7)])
def test_a_tracker_that_is_away_costs_a_warning_and_is_filled_afterwards(tmp_path, reference, away, ended):
    port = _free_port()
    uri, folder = f"http://127.0.0.1:{port}", tmp_path / "server"
    sweep = Sweep(tmp_path / "sweep", LONG)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(mlflow_server(folder, port)) if away != "at the start" else None
        process = stack.enter_context(sweep.running("--backend", "inprocess", "--tracking-uri", uri))
        wait_for(lambda: sweep.directory.rows.exists() and len(read_ends(sweep.directory)) >= ended, process)
        if away == "in the middle":
            wait_for(lambda: held_by_mlflow(uri, "faults"), process)
        if server is None:
            stack.enter_context(mlflow_server(folder, port))
        else:
            kill_all(server)
        assert process.wait(300) == 0
    if away == "in the middle":
        assert "MLflow at http://127.0.0.1" in sweep.stderr
    assert_same(sweep.directory, reference)
    with mlflow_server(folder, port):
        for _ in range(2):
            command = [sys.executable, "-m", "sweeper", "track", sweep.directory.root, "--tracking-uri", uri]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        assert_no_step_twice(uri, sweep.directory)


CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *t) {
    struct timespec m;
    int r = syscall(SYS_clock_gettime, clock, t);
    if (clock == CLOCK_REALTIME && !syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &m)) t->tv_sec -= m.tv_sec / 3 * 3600;
    return r;
}
int gettimeofday(struct timeval *v, void *zone) {
    struct timespec t;
    int r = clock_gettime(CLOCK_REALTIME, &t);
    v->tv_sec = t.tv_sec, v->tv_usec = t.tv_nsec / 1000;
    return r;
}
time_t time(time_t *result) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (result) *result = t.tv_sec;
    return t.tv_sec;
}
"""


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_a_clock_that_steps_back_an_hour_every_three_seconds_changes_nothing(tmp_path, reference):
    """libfaketime 0.9.10 makes time.sleep of Python 3.11 fail, and so cannot show it."""
    library = tmp_path / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-o", library], input=CLOCK, text=True, check=True)
    shown = [sys.executable, "-c", "import time; t = time.time(); time.sleep(3.5); print(time.time() - t < -3000)"]
    environment = {"LD_PRELOAD": str(library)}
    assert subprocess.check_output(shown, text=True, env=os.environ | environment) == "True\n"
    sweep = Sweep(tmp_path / "sweep", LONG, "recovery.hang_seconds=60")
    with sweep.running("--backend", "inprocess", **environment) as process:
        sweep.wait_for_parts(3, process)
        process.kill()
    assert sweep.finish("--backend", "inprocess", **environment) == 0
    assert_same(sweep.directory, reference)


def test_whatever_comes_together_the_table_stays_right(tmp_path):
    """A soak: faults drawn at random on one sweep until it is done. FAULTS_SEED repeats one."""
    seed = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10**6)))
    chance, struck = random.Random(seed), []
    print(f"FAULTS_SEED={seed}")
    undisturbed, sweep = Sweep(tmp_path / "reference", LONG), Sweep(tmp_path / "sweep", LONG)
    undisturbed.run()
    status = None
    while status != 0:
        ray = chance.random() < 0.5
        with sweep.running(*(() if ray else ("--backend", "inprocess"))) as process:
            with contextlib.suppress(AssertionError):  # it has ended
                while process.poll() is None and len(struck) < 40:
                    known = _parts_on_disk(sweep)
                    wait_for(lambda known=known: _parts_on_disk(sweep) - known, process)
                    time.sleep(chance.random() / 2)
                    struck.append(
                        chance.choice(["driver", "term", *(["worker", "raylet", "gcs_server"] if ray else [])])
                    )
                    print("ray" if ray else "inprocess", struck[-1], flush=True)
                    _strike(process, struck[-1])
                    if struck[-1] in {"driver", "term"}:
                        break
            status = process.wait(300)
        # SIGTERM ends what is not yet, or no more, training, as it ends any process.
        assert status in {0, 130, -signal.SIGKILL, -signal.SIGTERM}, sweep.stderr
        if status and chance.random() < 0.3 and valid_parts_in(sweep.directory):
            chance.choice([flip_a_byte, truncate])(_part(sweep.directory, chance))
        if chance.random() < 0.2 and (saved := sorted(sweep.directory.checkpoints.glob("*.pt"))):
            chance.choice([flip_a_byte, truncate, Path.unlink])(chance.choice(saved))
    assert struck
    assert_same(sweep.directory, undisturbed.directory)


def _part(directory, chance):
    return directory.rows / chance.choice(valid_parts_in(directory)).file


def _parts_on_disk(sweep):
    return {path.name for path in sweep.directory.rows.glob("[!.]*.parquet")}


def _strike(process, fault):
    if fault == "driver":
        process.kill()
    elif fault == "term":
        process.terminate()
    elif fault == "worker":
        for pid in training_workers(process.pid)[:1]:
            os.kill(pid, signal.SIGKILL)
    elif victim := ray_process(process.pid, fault):
        os.kill(victim, signal.SIGKILL)
