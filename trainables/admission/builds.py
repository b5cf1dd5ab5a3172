"""Builds of a model: the same from one seed, and its own from another."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from search_spaces.errors import InputError
from trainables.admission.held import changed, digest, digests, held_by
from trainables.admission.passes import phase
from trainables.torch_state import seeded

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


class Build(NamedTuple):
    """A model as it was built from a seed, before any pass.

    Attributes:
        module: the model.
        tensors: path of each parameter and buffer to its digest.
        held: path of all else that it holds to its digest.
    """

    module: nn.Module
    tensors: dict[str, object]
    held: dict[str, object]


def build(make: Callable[[], nn.Module], seed: int, *, digested: bool = True) -> Build:
    """Build a model, with the generators of torch, numpy and ``random`` seeded.

    Args:
        make: the task's function.
        seed: the seed.
        digested: whether to look at its tensors, which takes a second for a thousand million numbers.

    Raises:
        PhaseError: ``make`` raised an error.
        InputError: it did not return a model that can be trained.
    """
    with phase("building it"), seeded(seed):
        module = make()
    check_structure(module)
    if not digested:
        return Build(module, {}, {})
    tensors = {name: digest(t.detach()) for name, t in [*module.named_parameters(), *module.named_buffers()]}
    return Build(module, tensors, digests(held_by(module)))


def check_structure(module: object) -> None:
    """Refuse what cannot be trained, whatever it computes.

    Raises:
        InputError: this is no module, its parameters have no values yet, or none of them trains.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"it builds {type(module).__name__}, not an nn.Module; return the network itself.")
    for name, part in module.named_modules():
        if isinstance(part, _WRAPPERS):
            where = f" (in {name})" if name else ""
            raise InputError(
                f"it is wrapped in {type(part).__name__}{where}. Return the network inside: sweeper shares a batch "
                "among processes by itself (resources.processes_per_pack)."
            )
    tensors = [*module.named_parameters(), *module.named_buffers()]
    if lazy := [name for name, t in tensors if is_lazy(t)]:
        raise InputError(
            f"its parameter {lazy[0]} has no shape until a first forward pass. Run one where it is built, on zeros of "
            "the shape of a batch, and return the network after that."
        )
    if absent := [name for name, t in tensors if t.is_meta]:
        raise InputError(f"its parameter {absent[0]} is on the device meta and has no values. Build it on the CPU.")
    if not any(p.requires_grad for p in module.parameters()):
        raise InputError("no parameter of it trains: it has none with requires_grad=True.")


def check_repeats(first: Build, second: Build, *, initialized: bool) -> None:
    """Refuse a model that is not built anew, or not the same from one seed.

    Args:
        first: a build.
        second: another one from the same seed.
        initialized: whether the grid replaces the initialization of the parameters.

    Raises:
        InputError: two builds share a trained parameter, or differ.
    """
    shared = _storages(p for p in second.module.parameters() if p.requires_grad)
    for name, p in first.module.named_parameters():
        if p.requires_grad and _storage(p) in shared:
            raise InputError(
                f"it is one network for all seeds: its parameter {name} is the same tensor in two builds. Build the "
                "network inside the function, such as model=lambda: Net(width): every seed needs weights of its own."
            )
    if initialized:
        names = {name for name, _ in first.module.named_parameters()}
        first, second = (b._replace(tensors=_without(b.tensors, names)) for b in (first, second))
    if different := changed(first.tensors, second.tensors):
        raise InputError(
            f"two builds from one seed differ in {different[0]}, so that a resumed run would differ too. Only the "
            "generators of torch, numpy.random and random are seeded: draw from these, and leave no value unset."
        )


def different_data(first: Build, second: Build) -> list[str]:
    """Return the paths of tensors, arrays and generators outside of parameters and buffers that differ."""
    leaves = held_by(first.module) | held_by(second.module)
    return [path for path in changed(first.held, second.held) if path in leaves and leaves[path].is_data]


def aliases(module: nn.Module) -> str:
    """Return a pair of tensors of which one is a view of the other, in words; empty if there is none.

    A parameter that two modules share is one tensor and no such pair.

    Raises:
        InputError: two trained parameters overlap in memory.
    """
    owners: dict[int, str] = {}
    trained: list[tuple[str, Tensor]] = []
    for name, p in module.named_parameters():
        if p.requires_grad and (place := _storage(p)):
            if other := next((n for n, t in trained if _storage(t) == place and _overlap(t, p)), ""):
                raise InputError(
                    f"its parameters {other} and {name} share memory, but are two parameters, which would train twice. "
                    "Give both modules the same nn.Parameter, or each one of its own."
                )
            owners[place] = name
            trained.append((name, p))
    if len(owners) < len(trained):
        return "parameters share memory"
    frozen = [(name, p) for name, p in module.named_parameters() if not p.requires_grad]
    held = [(path, leaf.value) for path, leaf in held_by(module).items() if isinstance(leaf.value, Tensor)]
    for name, t in [*frozen, *module.named_buffers(), *held]:
        if (place := _storage(t)) in owners:
            return f"{name} shares memory with {owners[place]}"
    return ""


def same_start(first: Build, second: Build) -> bool:
    """Return whether builds from two seeds start from the same trained parameters."""
    return all(first.tensors[n] == second.tensors[n] for n, p in first.module.named_parameters() if p.requires_grad)


def hooks_of(module: nn.Module) -> str:
    """Return where a hook is registered on a parameter or a module, in words; empty if there is none.

    Functional passes and ``vmap`` leave out some of them.
    """
    for name, p in module.named_parameters():
        if p._backward_hooks or getattr(p, "_post_accumulate_grad_hooks", None):
            return f"a hook on the parameter {name}"
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    for name, part in module.named_modules():
        if any(getattr(part, kind, None) for kind in kinds):
            return f"a hook on the module {name or type(module).__name__}"
    if torch.nn.modules.module._has_any_global_hook():  # type: ignore[no-untyped-call]
        return "a hook on all modules"
    return ""


def _overlap(a: Tensor, b: Tensor) -> bool:
    """Return whether the memory between first and last number of two tensors, (...) each, has a part in common."""

    def ends(t: Tensor) -> tuple[int, int]:
        last = sum((size - 1) * stride for size, stride in zip(t.shape, t.stride(), strict=True))
        return t.data_ptr(), t.data_ptr() + (last + 1) * t.element_size()

    (first, end), (other_first, other_end) = ends(a), ends(b)
    return first < other_end and other_first < end


def check_shared_buffers(first: Build, second: Build, changed_buffers: Iterable[str]) -> None:
    """Refuse a buffer that a pass changes and that two builds share: points would change it for each other.

    Args:
        first: a build.
        second: another one.
        changed_buffers: names of the buffers that a pass changes.

    Raises:
        InputError: there is such a buffer.
    """
    shared = _storages(second.module.buffers())
    buffers = dict(first.module.named_buffers())
    for name in changed_buffers:
        if name in buffers and _storage(buffers[name]) in shared:
            raise InputError(
                f"its buffer {name} is the same tensor in two builds, and a pass changes it. Build that part inside "
                "the function too."
            )


def _without(tensors: dict[str, object], names: set[str]) -> dict[str, object]:
    return {name: value for name, value in tensors.items() if name not in names}


def _storages(tensors: Iterable[Tensor]) -> set[int]:
    return {_storage(t) for t in tensors} - {0}


def _storage(t: Tensor) -> int:
    """Return the address of a tensor's memory; 0 if it has none."""
    try:
        return t.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # sparse, or of another kind without memory of its own
        return 0
