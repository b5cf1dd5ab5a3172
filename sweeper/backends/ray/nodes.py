"""Nodes of a Ray cluster: their CPUs, GPUs and GPU memory, as far as packs can use them."""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search_spaces.errors import InputError
from search_spaces.sections.grid import Resources
from sweeper.backends.capacity import Capacity, count_processes, gpu_bytes_per_pack, local_gpu_bytes
from sweeper.backends.ray.remote import gpu_memory

ANSWER_SECONDS = 60.0  # for a node to start a process and ask its driver for GPUs

_Node = Mapping[str, Any]  # as ``ray.nodes()`` has it


class _Offer(NamedTuple):
    """Resources of a node.

    Attributes:
        cpus: number of CPUs.
        gpus: number of GPUs.
    """

    cpus: float
    gpus: float


class _PendingAnswer(NamedTuple):
    """Answer of a node to ``gpu_memory``.

    Attributes:
        node: the node.
        reference: Ray's reference to the answer.
    """

    node: _Node
    reference: Any


def request_capacity(nodes: Sequence[_Node], resources: Resources, *, joined: bool) -> Callable[[], Capacity]:
    """Count the packs that the CPUs and GPUs of the cluster can hold, and ask the nodes for their GPU memory.

    Processes are counted node by node; a pack takes as many of them as it has. Nodes of a joined cluster are asked at
    once, and may take a second to answer.

    Args:
        nodes: nodes as ``ray.nodes()`` has them.
        resources: what a pack asks for.
        joined: whether the nodes belong to a cluster that others have set up.

    Returns:
        A function that waits for the answers. It raises an ``InputError`` if sweeper is not installed where packs
        would train.

    Raises:
        InputError: no node has the labels, or no node can hold a pack.
    """
    labeled = _with_labels([node for node in nodes if node["Alive"]], resources)
    able = [node for node in labeled if _processes_on(node, resources)]
    workers = sum(_processes_on(node, resources) for node in able) // resources.processes_per_pack
    if not workers:
        offers = "; ".join("{:g} CPUs, {:g} GPUs".format(*_offer_of(node)) for node in labeled)
        raise InputError(
            f"resources: a pack asks for {_request_text(resources)} (nodes: {offers}). "
            "Lower cpus_per_pack or gpus_per_pack."
        )
    on_gpus = resources.gpus_per_pack > 0
    asked = (able if on_gpus else able[:1]) if joined else []
    pending = [
        _PendingAnswer(node, gpu_memory.options(scheduling_strategy=_on(node)).remote(on_gpus)) for node in asked
    ]

    def answer() -> Capacity:
        gpus = _collect_gpu_bytes(pending) if joined else local_gpu_bytes() if on_gpus else []
        return Capacity(workers=workers, pack_bytes=gpu_bytes_per_pack(gpus, resources))

    return answer


def _with_labels(nodes: Sequence[_Node], resources: Resources) -> list[_Node]:
    """Return the nodes that have the labels that packs ask for.

    Raises:
        InputError: none has them.
    """
    labeled = [node for node in nodes if resources.labels.items() <= node["Labels"].items()]
    if not labeled:
        wanted = ", ".join(f"{key}: {value}" for key, value in resources.labels.items())
        present = sorted({f"{k}: {v}" for n in nodes for k, v in n["Labels"].items() if k != "ray.io/node-id"})
        raise InputError(
            f"resources.labels: no machine of the cluster has {{{wanted}}}; there are "
            f"{', '.join(present) or 'no labels'}. Ray takes them with 'ray start --labels'."
        )
    return labeled


def _offer_of(node: _Node) -> _Offer:
    return _Offer(cpus=node["Resources"].get("CPU", 0), gpus=node["Resources"].get("GPU", 0))


def _processes_on(node: _Node, resources: Resources) -> int:
    return count_processes(*_offer_of(node), resources)


def _collect_gpu_bytes(pending: Sequence[_PendingAnswer]) -> list[int]:
    """Wait for the answers, and return the bytes of memory of each GPU of the nodes that answer.

    Raises:
        InputError: a node cannot answer, because sweeper or torch is not installed there.
    """
    import_module("sweeper.backends.ray.tune")  # it is needed soon, and takes a second that the nodes may take too
    gpus: list[int] = []
    until = time.monotonic() + ANSWER_SECONDS
    for node, reference in pending:
        try:
            gpus += ray.get(reference, timeout=max(0.0, until - time.monotonic()))
        except RayError as error:  # a timeout is one as well
            if "No module named" in str(error):
                raise _not_installed(node, str(error)) from None
    return gpus


def _on(node: _Node) -> NodeAffinitySchedulingStrategy:
    """Return the strategy that runs a task on ``node`` and nowhere else."""
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _not_installed(node: _Node, error: str) -> InputError:
    missing = error.rpartition("No module named ")[2].splitlines()[0].strip()
    return InputError(
        f"the node {node['NodeManagerAddress']} of the cluster has no module {missing}: sweeper must be installed on "
        "all nodes as it is here (docs/cluster.md says how)."
    )


def _request_text(resources: Resources) -> str:
    """Return in words what a pack asks for and no node has."""
    asked = f"{resources.cpus_per_pack:g} CPUs and {resources.gpus_per_pack:g} GPUs"
    if resources.processes_per_pack == 1:
        return f"{asked}, but no node has them"
    return f"{asked} in {resources.processes_per_pack} processes, but the nodes do not have them"
