"""Capacity of a cluster from what Ray says of its nodes, and answers of real nodes."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from faults_support import kill_all
from tests_support import SMALL

from search_spaces.errors import InputError
from search_spaces.sections.grid import Resources

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def ray_nodes():
    return pytest.importorskip("sweeper.backends.ray.nodes")


def node(cpus=8.0, gpus=0.0, alive=True, address="10.0.0.1", **labels):
    resources = {"CPU": cpus, "GPU": gpus, "memory": 1e9}
    return {
        "Alive": alive,
        "Resources": {name: value for name, value in resources.items() if value},
        "Labels": {"ray.io/node-id": "0", **labels},
        "NodeManagerAddress": address,
        "NodeID": "0",
    }


def capacity(ray_nodes, nodes, **asked):
    return ray_nodes.request_capacity(nodes, Resources(**asked), joined=False)()


def test_workers_are_those_of_all_nodes_that_live(ray_nodes):
    nodes = [node(8), node(4), node(64, alive=False), node(1)]
    assert capacity(ray_nodes, nodes).workers == 13
    assert capacity(ray_nodes, nodes, cpus_per_pack=4).workers == 3


def test_processes_of_a_pack_may_be_on_several_nodes(ray_nodes):
    nodes = [node(8), node(4)]
    assert capacity(ray_nodes, nodes, cpus_per_pack=12, processes_per_pack=6).workers == 1


def test_only_nodes_with_the_labels_count(ray_nodes):
    nodes = [node(8, gpu="A100"), node(2, gpu="H100", zone="b")]
    assert capacity(ray_nodes, nodes, labels={"gpu": "H100"}).workers == 2
    with pytest.raises(InputError, match=r"no machine of the cluster has \{gpu: L4\}; there are gpu: A100, gpu: H100"):
        capacity(ray_nodes, nodes, labels={"gpu": "L4"})


def test_a_pack_that_fits_nowhere_is_refused(ray_nodes):
    nodes = [node(8), node(4, 1)]
    with pytest.raises(InputError, match=r"a pack asks for 1 CPUs and 2 GPUs, but no node has them \(nodes: 8 CPUs, 0"):
        capacity(ray_nodes, nodes, gpus_per_pack=2)


@pytest.fixture
def installed_without_sweeper(tmp_path):
    """A Python that has everything but sweeper: paths named by a .pth file have none of their own read."""
    venv.create(tmp_path / "bare", with_pip=False)
    (packages,) = (tmp_path / "bare" / "lib").glob("python*/site-packages")
    packages.joinpath("libraries.pth").write_text(str(Path(pytest.__file__).parents[1]))
    return tmp_path / "bare" / "bin" / "python"


NODES = """
import os, sys
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
cluster.add_node(num_cpus=1, num_gpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="of Ray's switch for loopback")
@pytest.mark.parametrize("asked", ["resources.gpus_per_pack=0", "resources.gpus_per_pack=1"])
def test_nodes_without_sweeper_are_told_of_before_anything_is_written(tmp_path, installed_without_sweeper, asked):
    (tmp_path / "g.yaml").write_text(SMALL)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    nodes = subprocess.Popen(
        [installed_without_sweeper, "-c", NODES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
    )
    try:
        address = nodes.stdout.readline().strip()
        command = [Path(sys.executable).parent / "sweeper", "run", "g.yaml", "--address", address, "--set", asked]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    finally:
        kill_all(nodes)
    assert done.returncode == 2
    assert "error: the node 127.0.0.1 of the cluster has no module 'sweeper'" in done.stderr
    assert not list((tmp_path / "runs").glob("small/*"))
