"""The machines of a Ray cluster: what they offer packs."""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search_spaces.errors import InputError
from search_spaces.sections.grid import Resources
from sweeper.backends.capacity import Capacity, count_processes, gpu_bytes_per_pack, local_gpu_bytes
from sweeper.backends.ray.remote import gpu_memory

ANSWER_SECONDS = 60.0  # for a node to start a process and ask its driver of GPUs


def request_capacity(
    nodes: Sequence[Mapping[str, Any]], resources: Resources, *, joined: bool
) -> Callable[[], Capacity]:
    """As many packs as the CPUs and GPUs of the cluster can hold: processes node by node, some for each pack.

    Nodes that others have set up are asked at once what they have, and may take a second to answer.

    Args:
        nodes: as ``ray.nodes()`` has them.
        resources: of a pack.
        joined: whether they are of a cluster that others have set up.

    Returns:
        What waits for their answers, and raises an InputError if sweeper is not installed where packs would train.

    Raises:
        InputError: no node can hold one.
    """
    alive = [node for node in nodes if node["Alive"]]
    chosen = [node for node in alive if resources.labels.items() <= node["Labels"].items()]
    if not chosen:
        wanted = ", ".join(f"{key}: {value}" for key, value in resources.labels.items())
        known = sorted({f"{k}: {v}" for n in alive for k, v in n["Labels"].items() if k != "ray.io/node-id"})
        raise InputError(
            f"resources.labels: no machine of the cluster has {{{wanted}}}; there are "
            f"{', '.join(known) or 'no labels'}. Ray takes them with 'ray start --labels'."
        )
    able = [node for node in chosen if _processes_on(node, resources)]
    workers = sum(_processes_on(node, resources) for node in able) // resources.processes_per_pack
    if not workers:
        offers = "; ".join("{:g} CPUs, {:g} GPUs".format(*_offer(node)) for node in chosen)
        raise InputError(
            f"resources: a pack asks for {_request_text(resources)} (nodes: {offers}). "
            "Lower cpus_per_pack or gpus_per_pack."
        )
    on_gpus = resources.gpus_per_pack > 0
    asked = (able if on_gpus else able[:1]) if joined else []
    answers = [(gpu_memory.options(scheduling_strategy=_on(node)).remote(on_gpus), node) for node in asked]

    def answer() -> Capacity:
        gpus = _collect_gpu_bytes(answers) if joined else local_gpu_bytes() if on_gpus else []
        return Capacity(workers=workers, pack_bytes=gpu_bytes_per_pack(gpus, resources))

    return answer


def _offer(node: Mapping[str, Any]) -> tuple[float, float]:
    """CPUs and GPUs."""
    return node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)


def _processes_on(node: Mapping[str, Any], resources: Resources) -> int:
    return count_processes(*_offer(node), resources)


def _collect_gpu_bytes(answers: Sequence[tuple[Any, Mapping[str, Any]]]) -> list[int]:
    """Bytes of each GPU of the nodes that answer.

    Raises:
        InputError: a node cannot answer, since sweeper or torch is not installed there.
    """
    import_module("sweeper.backends.ray.tune")  # it is needed soon, and takes a second that they may take too
    found: list[int] = []
    until = time.monotonic() + ANSWER_SECONDS
    for answer, node in answers:
        try:
            found += ray.get(answer, timeout=max(0.0, until - time.monotonic()))
        except RayError as error:  # a timeout is one
            if "No module named" in str(error):
                raise _not_installed(node, str(error)) from None
    return found


def _on(node: Mapping[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _not_installed(node: Mapping[str, Any], error: str) -> InputError:
    missing = error.rpartition("No module named ")[2].splitlines()[0].strip()
    return InputError(
        f"the node {node['NodeManagerAddress']} of the cluster has no module {missing}: sweeper must be installed on "
        "all nodes as it is here (docs/cluster.md says how)."
    )


def _request_text(resources: Resources) -> str:
    """What a pack asks for in vain."""
    asked = f"{resources.cpus_per_pack:g} CPUs and {resources.gpus_per_pack:g} GPUs"
    if resources.processes_per_pack == 1:
        return f"{asked}, but no node has them"
    return f"{asked} in {resources.processes_per_pack} processes, but the nodes do not have them"
