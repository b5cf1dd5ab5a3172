"""slurm.sh with real Ray on two hosts. What is not real is SLURM: two small programs stand in for srun and scontrol.

They do what slurm.sh relies on: srun runs a command on the nodes of the job but those excluded, and hands signals on;
``scontrol show hostnames`` names the nodes, and ``scontrol requeue`` is noted.
"""

import json
import os
import signal
import stat
import subprocess
import sys

import pytest
from docker_support import DOCKER
from hosts_support import hosts, wait_until, why_not
from tests_support import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]

PATIENCE = 240.0
SCONTROL = """#!/bin/sh
if [ "$1 $2" = "show hostnames" ]; then printf 'node1\\nnode2\\n'; else echo "$@" >> {requeued}; fi
"""
SRUN = """#!/bin/bash
set -eu
for argument in "$@"; do
  case $argument in
    --exclude=*) excluded=${{argument#*=}} ;;
    --cpus-per-task=*) cpus=${{argument#*=}} ;; # srun takes it from nowhere else
    --*) ;;
    *) break ;;
  esac
  shift
done
test "$excluded" = node1 && test "$cpus" = "$SLURM_CPUS_PER_TASK"
{enter} node2 0 {mounts} "$@" &
trap 'kill -KILL %1' TERM
wait
"""


@pytest.fixture
def cluster(tmp_path, environment):
    """Two nodes that share a folder; runs slurm.sh as SLURM does, on the first of them."""
    if reason := why_not():
        pytest.skip(reason)
    (shared := tmp_path / "shared").mkdir()
    (programs := tmp_path / "programs").mkdir()
    (shared / "small.yaml").write_text(SMALL)
    with hosts(tmp_path, "node1", "node2") as network:
        enter = network.command("node2", [])[0]
        mounts = f"{shared}:/shared,{programs}:/programs"
        texts = {
            "scontrol": SCONTROL.format(requeued="/shared/requeued"),
            "srun": SRUN.format(enter=enter, mounts=mounts),
            "sweeper": f'#!/bin/sh\nexec {sys.executable} -m sweeper "$@"\n',
            "ray": f'#!/bin/sh\nexec {sys.executable} -m ray.scripts.scripts "$@"\n',
        }
        for name, text in texts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        yield Cluster(network, shared, {**environment, "PATH": f"/programs:{environment['PATH']}"}, programs)


class Cluster:
    def __init__(self, network, shared, environment, programs):
        self.shared, self._hosts, self._programs = shared, network, programs
        self.environment = environment | {
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_SUBMIT_DIR": "/shared",
            "SLURM_CPUS_PER_TASK": "1",
        }

    def submit(self, *arguments):
        mounts = {"/shared": self.shared, "/programs": self._programs}
        return self._hosts.start("node1", [str(DOCKER / "slurm.sh"), *arguments], self.environment, mounts)

    def log(self):
        return self._hosts.log("node1").read_text()

    def send(self, number):
        """To the script, as ``#SBATCH --signal=B:…`` has it."""
        os.kill(self._hosts.first("node1"), number)

    def states(self, name):
        found = subprocess.run(
            [sys.executable, "-m", "sweeper", "status", self.shared / "runs" / name, "--json"],
            capture_output=True,
            check=False,
            env=self.environment,
        )
        return json.loads(found.stdout) if found.returncode == 0 else {"outcomes": {}}


ARGUMENTS = ["/shared/small.yaml", "--out", "/shared/runs", "--tracking-uri", "none"]


def test_a_job_of_two_nodes_runs_the_sweep_and_leaves_nothing(cluster):
    job = cluster.submit(*ARGUMENTS)
    wait_until(lambda: list(cluster.shared.glob(".ray-token-*")) or job.poll() is not None, PATIENCE, cluster.log)
    (token,) = cluster.shared.glob(".ray-token-*")
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert job.wait(PATIENCE) == 0, cluster.log()
    assert "6 points" in cluster.log()
    assert "on 2 workers" in cluster.log()
    assert cluster.states("small")["outcomes"]["completed"] == 6
    assert sorted(path.name for path in cluster.shared.iterdir()) == ["runs", "small.yaml"]


def test_near_its_end_a_job_leaves_in_good_order_and_is_queued_again(cluster):
    long = ["--set", "budget.max=8000", "--set", "budget.constant=4000", "--name", "long"]
    job = cluster.submit(*ARGUMENTS, *long)
    rows = cluster.shared / "runs" / "long" / "rows"
    wait_until(lambda: any(rows.glob("*.parquet")), PATIENCE, cluster.log, job)
    cluster.send(signal.SIGUSR1)
    assert job.wait(PATIENCE) == 130, cluster.log()
    assert (cluster.shared / "requeued").read_text() == "requeue 4711\n"
    assert "run the same command again to continue" in cluster.log()
    before = {path.name for path in rows.glob("*.parquet")}
    assert cluster.submit(*ARGUMENTS, *long).wait(PATIENCE) == 0, cluster.log()
    assert before <= {path.name for path in rows.glob("*.parquet")}
    assert cluster.states("long")["outcomes"]["completed"] == 6
