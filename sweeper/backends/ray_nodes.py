"""The machines of a Ray cluster: what they offer packs, and what a Ray trial asks of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sweeper.backends.ray_environment  # noqa: F401 - before anything of Ray

# isort: split
from ray import tune

from search_spaces.errors import InputError
from search_spaces.grid import Resources

COORDINATOR_BYTES = 2**28  # of a trial whose work is done by processes of Ray Train, which ask for their own resources


def workers_of(nodes: Sequence[Mapping[str, Any]], resources: Resources) -> int:
    """As many packs as the CPUs and GPUs of the cluster can hold: processes node by node, some for each pack.

    Args:
        nodes: as ``ray.nodes()`` has them.
        resources: of a pack.

    Raises:
        InputError: no node can hold one.
    """
    nodes = [node for node in nodes if node["Alive"]]
    alive = [node["Resources"] for node in nodes if resources.labels.items() <= node["Labels"].items()]
    if not alive:
        wanted = ", ".join(f"{key}: {value}" for key, value in resources.labels.items())
        known = sorted({f"{k}: {v}" for n in nodes for k, v in n["Labels"].items() if k != "ray.io/node-id"})
        raise InputError(
            f"resources.labels: no machine of the cluster has {{{wanted}}}; there are "
            f"{', '.join(known) or 'no labels'}. Ray takes them with 'ray start --labels'."
        )
    count = sum(_fits(node, resources) for node in alive) // resources.processes_per_pack
    if not count:
        offers = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in alive)
        raise InputError(
            f"resources: a pack asks for {_asked(resources)} (nodes: {offers}). Lower cpus_per_pack or gpus_per_pack."
        )
    return count


def place_of(resources: Resources) -> Any:
    """What a Ray trial asks the cluster for."""
    labels = [resources.labels] if resources.labels else None
    if resources.processes_per_pack > 1:
        return tune.PlacementGroupFactory([{"CPU": 0, "memory": COORDINATOR_BYTES}], bundle_label_selector=labels)
    bundle = {"CPU": resources.cpus_per_pack, "GPU": resources.gpus_per_pack}
    return tune.PlacementGroupFactory([bundle], bundle_label_selector=labels)


def _fits(node: dict[str, float], resources: Resources) -> int:
    """Processes that a node can hold."""
    counts = [int(node.get("CPU", 0) * resources.processes_per_pack / resources.cpus_per_pack)]
    if gpus := resources.gpus_per_pack / resources.processes_per_pack:
        per_gpu = int(1 / gpus) if gpus < 1 else 1 / gpus
        counts.append(int(node.get("GPU", 0) * per_gpu))
    return min(counts)


def _asked(resources: Resources) -> str:
    """What a pack asks for in vain."""
    asked = f"{resources.cpus_per_pack:g} CPUs and {resources.gpus_per_pack:g} GPUs"
    if resources.processes_per_pack == 1:
        return f"{asked}, but no node has them"
    return f"{asked} in {resources.processes_per_pack} processes, but the nodes do not have them"
