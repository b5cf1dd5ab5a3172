"""State that a model or a loss keeps from pass to pass, outside of its buffers.

Buffers are saved with a point, and attributes are not. An attribute that is only written, as one that shows the last
activations, harms nothing. One that later passes read makes a resumed run differ from an uninterrupted one.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces.errors import InputError
from trainables.admission.held import Leaf, Resize, changed, digests, held_by
from trainables.admission.passes import (
    Pass,
    PhaseError,
    Samples,
    Start,
    close,
    drawing_part,
    outputs_of,
    plain_pass,
    tensors_of,
    write,
)
from trainables.step.losses import Loss
from trainables.torch_state import drawn_from, generator_states

_TOLERANCE = 1e-4  # relative; passes of equal numbers differ by the order of sums at most
_OFFSETS = (1, 2, 3, 10, 1_000, 1_000_000, -1_000_000)  # added to a counter
_NEAR = (-2, -1, 0, 1)  # added to a number that a pass has compared a counter with
_MOST_COMPARED = 20
_STATE = "register it as a buffer (register_buffer) and update that in place, or take it out of the model"


def repeated_pass(module: nn.Module, loss: Loss, samples: Sequence[Samples], root: object) -> tuple[Pass, list[str]]:
    """Return a pass, and the paths that passes change; refuse what makes a later pass differ.

    Args:
        module: the network, as it was built; its parameters and buffers are restored.
        loss: the loss of the task.
        samples: samples of the first and the third pass, and of the second.
        root: the user's loss, of which state is looked for too.

    Raises:
        InputError: the third pass differs from the first, or would with another value of an attribute that changes.
        PhaseError: the model or the loss raised an error.
    """
    one, other = samples
    start, built = Start(module, root), digests(held_by(module, root))
    first = plain_pass(module, loss, one)
    _check_shapes(first, start.tensors)
    after_first = digests(held_by(module, root))
    start.restore(attributes=False)
    between = plain_pass(module, loss, other)
    after_second = digests(held_by(module, root))
    start.restore(attributes=False)
    third = plain_pass(module, loss, one)
    written = changed(built, digests(held_by(module, root)))
    if not _same(first, third):
        raise InputError(_depends(written))
    _check_leaves(module, [first, between, third], root)
    moving = sorted({*changed(after_first, after_second), *(p for p in written if p not in after_first)})

    def numbers() -> dict[str, Tensor]:
        start.restore(attributes=False)
        outputs = outputs_of(module, one.x, training=True)
        total = loss.objective(outputs.float().unsqueeze(0), one.labels).sum().detach()
        start.restore(attributes=False)
        return {"outputs": outputs, "loss": total, "evaluated": outputs_of(module, one.x, training=False)}

    if written:
        _check_unread(held_by(module, root), moving, numbers)
        start.restore(attributes=False)
        _check_first(module, other.x, start, written)
    start.restore()
    return first, written


@torch.no_grad()
def _check_first(module: nn.Module, x: Tensor, start: Start, written: list[str]) -> None:
    """Refuse a model that keeps something of its first pass: a resumed run would keep it of another one."""

    def outputs() -> Tensor:
        for p in module.parameters():
            if p.requires_grad:
                p.mul_(1.1)
        return outputs_of(module, x, training=True)

    kept = outputs()
    start.restore()
    if not close({"": kept}, {"": outputs()}, _TOLERANCE):
        raise InputError(_depends(written))


def evaluation_changes(module: nn.Module, x: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    """Return outputs (B, C) in evaluation mode, and the names of parameters and buffers that this mode changes.

    Args:
        module: the network; its parameters and buffers are restored.
        x: inputs (B, ...).

    Raises:
        InputError: the model draws random numbers in evaluation mode, or its outputs change from pass to pass.
        PhaseError: the model raised an error.
    """
    start, random_before = Start(module), generator_states()
    outputs = outputs_of(module, x, training=False)
    if drawn := drawn_from(random_before, generator_states()):
        raise InputError(
            f"it draws random numbers in evaluation ({drawing_part(module, x)}, from {' and '.join(drawn)}), which "
            "a resumed run could not repeat; draw in training mode alone, where self.training is true."
        )
    after = tensors_of(module)
    start.restore(attributes=False)
    again = outputs_of(module, x, training=False)
    if not close({"": outputs}, {"": again}, _TOLERANCE):
        raise InputError("its outputs for one input change from pass to pass in evaluation mode, with equal weights.")
    start.restore()
    return outputs, tuple(name for name, t in after.items() if not _equal(start.tensors.get(name), t))


def _same(a: Pass, b: Pass) -> bool:
    outputs = close({"": a.outputs}, {"": b.outputs}, _TOLERANCE)
    return outputs and close(a.gradients, b.gradients, _TOLERANCE) and close(a.buffers, b.buffers, _TOLERANCE)


def _depends(written: list[str]) -> str:
    if not written:
        return (
            "two equal passes with equal weights give different numbers. Something that is neither parameter nor "
            "buffer changes in a pass, such as a global variable; a resumed run could not repeat that."
        )
    return f"its attribute {written[0]} changes in a pass and decides the next one, but is not saved: {_STATE}."


def _check_shapes(done: Pass, before: Mapping[str, Tensor]) -> None:
    for name, b in done.buffers.items():
        if name not in before or before[name].shape != b.shape or before[name].dtype != b.dtype:
            raise InputError(
                f"its buffer {name} gets another shape or type in training. Give it its final shape where it is built."
            )


def _check_leaves(module: nn.Module, passes: list[Pass], root: object) -> None:
    """Refuse tensors that the loss has gradients for and that are no parameters of the model."""
    known = {id(p) for p in module.parameters()}
    in_all = set.intersection(*({id(leaf) for leaf in done.leaves} for done in passes)) - known
    if not in_all:
        return
    paths = {id(leaf.value): path for path, leaf in held_by(module, root).items()}
    name = next((paths[i] for i in in_all if i in paths), "")
    if name.startswith("loss"):
        raise InputError(
            f"the loss has {name}, a parameter of its own, which would never train. Move it into the model: training "
            "changes the parameters of the model alone."
        )
    what = f"its attribute {name}" if name else "a tensor that it uses"
    raise InputError(
        f"{what} has gradients but is no parameter of the model, so that it would never train. Make it an "
        "nn.Parameter of a module, and keep modules in nn.ModuleList or nn.ModuleDict, not in a list or dict."
    )


def _check_unread(
    leaves: Mapping[str, Leaf],
    moving: Sequence[str],
    numbers: Callable[[], dict[str, Tensor]],
) -> None:
    """Refuse attributes that change from pass to pass if another value of theirs changes the numbers.

    Args:
        leaves: what the model and the loss hold.
        moving: paths of the leaves that change.
        numbers: runs a pass, and returns what it gives.
    """
    expected = numbers() if moving else {}
    for path in moving:
        leaf = leaves.get(path)
        if leaf is None:
            continue
        if leaf.is_generator:
            raise InputError(f"its attribute {path} is a generator that a pass draws from: {_STATE}.")
        values = [*_others(leaf), *_compared(leaf, numbers)]
        if not all(_unaffected(leaf, value, numbers, expected) for value in values):
            raise InputError(_depends([path]))


def _unaffected(leaf: Leaf, value: Any, numbers: Callable[[], dict[str, Tensor]], expected: dict[str, Tensor]) -> bool:
    """Return whether ``value`` in the place of a leaf leaves the numbers as they are."""
    assert leaf.assign is not None
    content = leaf.value.detach().clone() if isinstance(leaf.value, Tensor) else copy(leaf.value)
    leaf.assign(value)
    try:
        return close(numbers(), expected, _TOLERANCE)
    except PhaseError:  # a value that the model never has, such as a negative count
        return True
    finally:
        leaf.assign(leaf.value)
        if leaf.is_data:
            write(leaf.value, content)


class _WatchedInt(int):
    """A whole number that remembers the numbers it is compared with, divided by or multiplied by."""

    seen: ClassVar[list[float]] = []


def _watching(name: str) -> Callable[[Any, Any], Any]:
    plain = getattr(int, name)

    def method(self: Any, other: Any) -> Any:
        if isinstance(other, int | float) and name not in _SUMS:
            _WatchedInt.seen.append(other)
        result = plain(self, other)
        return _WatchedInt(result) if type(result) is int else result

    return method


_SUMS = ("__add__", "__radd__", "__sub__")
for _name in (*_SUMS, "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__mod__", "__floordiv__", "__mul__"):
    setattr(_WatchedInt, _name, _watching(_name))
_WatchedInt.__hash__ = int.__hash__  # type: ignore[method-assign]


def _compared(leaf: Leaf, numbers: Callable[[], dict[str, Tensor]]) -> list[int]:
    """Return values of a counter near those that passes compare it with."""
    if type(leaf.value) is not int or leaf.assign is None or isinstance(leaf.assign, Resize):
        return []
    _WatchedInt.seen = []
    leaf.assign(_WatchedInt(leaf.value))
    try:
        numbers()
    except PhaseError:  # a library that takes nothing but plain numbers
        return []
    finally:
        leaf.assign(leaf.value)
    compared = list(dict.fromkeys(int(number) for number in _WatchedInt.seen if math.isfinite(number)))
    return [number + near for number in compared[:_MOST_COMPARED] for near in _NEAR]


def _others(leaf: Leaf) -> Iterator[Any]:
    """Yield values that a leaf could have in later passes."""
    if leaf.assign is None:
        return
    match leaf.value:
        case bool():
            yield not leaf.value
        case int() | np.integer():
            yield from (leaf.value + offset for offset in _OFFSETS)
        case float() | np.floating():
            yield from (float("nan"), 0.0, leaf.value + 1.0, leaf.value - 1.0, leaf.value + 1e6)
        case Tensor() if leaf.value.is_floating_point() or leaf.value.is_complex():
            yield from (torch.full_like(leaf.value, torch.nan), torch.zeros_like(leaf.value))
        case Tensor() if leaf.value.dtype != torch.bool:
            yield from (leaf.value + 1, leaf.value + 1000)
        case np.ndarray() if leaf.value.dtype.kind == "f":
            yield np.full_like(leaf.value, np.nan)
        case np.ndarray() if leaf.value.dtype.kind in "iu":
            yield leaf.value + 1


def _equal(a: Tensor | None, b: Tensor) -> bool:
    return a is not None and a.shape == b.shape and bool(torch.equal(a.nan_to_num(), b.nan_to_num()))
