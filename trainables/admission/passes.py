"""Passes of a plain module: what torch itself computes, and what the module does besides.

Axis letters: P pack, B batch, C outputs of the model; ``...`` the shape of a tensor of one point.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces.errors import InputError
from trainables.admission.held import digest, held_by
from trainables.models.logits import logits_of
from trainables.step.losses import Loss, at_least_float32
from trainables.step.real import dense_gradient, real_view
from trainables.torch_state import drawn_from, generator_states, seeded
from trainables.user_code import UserCodeError, user_code

_PASS_SEED = 0  # of the random numbers of each pass
MAX_COPIED = 2**22  # numbers of a tensor outside of parameters and buffers that is put back after a pass


class PhaseError(UserCodeError):
    """An error that a user's code raised in the trial.

    Attributes:
        phase: what was tried, in words.
        error: the error.
    """

    def __init__(self, phase: str, error: BaseException) -> None:
        super().__init__(error)
        self.phase = phase


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Say what is tried: any error of the block becomes a ``PhaseError``.

    Raises:
        PhaseError: the block raised an error, or asked to leave the process.
    """
    try:
        with user_code():
            yield
    except PhaseError:
        raise
    except UserCodeError as raised:
        raise PhaseError(name, raised.error) from raised.error


class Samples(NamedTuple):
    """Samples of a trial.

    Attributes:
        x: normalized inputs (B, ...).
        labels: their targets: labels (B,) or (B, L), or numbers (B, k).
    """

    x: Tensor
    labels: Tensor


@dataclass(slots=True)
class Pass:
    """A forward and backward pass of a module in training mode.

    Attributes:
        outputs: outputs (B, C), without graph.
        total: loss of the samples, a scalar, without graph.
        gradients: name of each trained parameter to its gradient (...); zeros where torch gives none.
        buffers: name to buffer (...) after the pass.
        moved: names of the parameters that the forward pass itself changed.
        leaves: tensors that the loss has gradients for, whoever holds them.
        hooks: torch's functions that the forward pass called to hook into the gradient.
        generators: names of the generators of random numbers that the model drew from; they start alike in each pass.
    """

    outputs: Tensor
    total: Tensor
    gradients: dict[str, Tensor] = field(default_factory=dict)
    buffers: dict[str, Tensor] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    leaves: list[Tensor] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    generators: list[str] = field(default_factory=list)


class Start:
    """What a module holds before passes, to be put back after them."""

    def __init__(self, module: nn.Module, loss: object = None) -> None:
        """Remember the present state of a module, and of a user's loss."""
        self._module, self._leaves = module, held_by(module, loss)
        self._contents = {path: _copy(leaf.value) for path, leaf in self._leaves.items()}
        self._attributes = {part: set(vars(part)) for part in module.modules()}
        self.tensors = tensors_of(module)

    def restore(self, *, attributes: bool = True) -> None:
        """Put parameters and buffers back, and the values of attributes too unless ``attributes`` is false."""
        _restore(self._module, self.tensors)
        if not attributes:
            return
        for part, names in self._attributes.items():
            for name in vars(part).keys() - names:
                del vars(part)[name]
        for path, leaf in self._leaves.items():
            if leaf.assign is not None:
                with suppress(IndexError):  # a list that has become shorter
                    leaf.assign(leaf.value)
            if self._contents[path] is not None:
                write(leaf.value, self._contents[path])


def _copy(value: Any) -> Any:
    """Return a copy of a tensor or an array; None of anything else, and of what is too large to be copied."""
    if isinstance(value, Tensor) and value.numel() <= MAX_COPIED:
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) and value.size <= MAX_COPIED else None


def write(value: Any, content: Any) -> None:
    """Write ``content`` into a tensor or an array ``value`` of the same shape (...), if it is another one."""
    if isinstance(value, Tensor):
        if digest(value) != digest(content):
            value.data.copy_(content)
    elif value.flags.writeable and digest(value) != digest(content):
        np.copyto(value, content)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of parameters and buffers by name, (...) each."""
    return {name: t.detach().clone() for name, t in [*module.named_parameters(), *module.named_buffers()]}


@torch.no_grad()
def _restore(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name in tensors and tensor.shape == tensors[name].shape:
            tensor.copy_(tensors[name])


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training changes by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def plain_pass(module: nn.Module, loss: Loss, samples: Samples) -> Pass:
    """Run one forward and backward pass as a plain loop of torch does.

    Args:
        module: the network; its buffers change as it changes them.
        loss: the loss of the task.
        samples: inputs (B, ...) and targets.

    Raises:
        InputError: the loss or the backward pass draws random numbers.
        PhaseError: the model or the loss raised an error.
    """
    with seeded(_PASS_SEED):
        return _plain_pass(module, loss, samples)


def _plain_pass(module: nn.Module, loss: Loss, samples: Samples) -> Pass:
    before, random_before = tensors_of(module), generator_states()
    module.zero_grad()
    with phase("the forward pass in training mode"), _gradient_hooks_seen() as hooks:
        outputs = logits_of(module.train()(samples.x))
        labels = samples.labels
        positions = () if labels.is_floating_point() else tuple(labels.shape[1:])
        check_outputs(outputs, len(samples.x), getattr(loss, "outputs", None), positions)
    random_after = generator_states()
    moved = [name for name, p in module.named_parameters() if not torch.equal(p.detach(), before[name])]
    with phase("the loss"):
        total = loss.objective(at_least_float32(outputs).unsqueeze(0), samples.labels).sum()
    leaves = leaves_of(total)
    with phase("the backward pass"):
        total.backward()  # type: ignore[no-untyped-call]
    if drawn := drawn_from(random_after, generator_states()):
        raise InputError(
            f"its loss or its backward pass draws random numbers, from {' and '.join(drawn)}, which another pack could "
            "not repeat. Draw them in the forward pass of the model."
        )
    return Pass(
        outputs=outputs.detach(),
        total=total.detach(),
        gradients={name: dense_gradient(p).clone() for name, p in trained(module).items()},
        buffers={name: b.detach().clone() for name, b in module.named_buffers()},
        moved=moved,
        leaves=leaves,
        hooks=hooks,
        generators=drawn_from(random_before, random_after),
    )


@torch.no_grad()
def outputs_of(module: nn.Module, x: Tensor, *, training: bool) -> Tensor:
    """Return the outputs (B, C) of a forward pass alone.

    Args:
        module: the network; its buffers change as it changes them.
        x: inputs (B, ...).
        training: whether it runs in training mode, where random numbers start alike in each pass.

    Raises:
        PhaseError: the model raised an error.
    """
    random = seeded(_PASS_SEED) if training else nullcontext()
    with phase(f"the forward pass in {'training' if training else 'evaluation'} mode"), random:
        outputs = logits_of(module.train(training)(x))
        check_outputs(outputs, len(x), positions=tuple(outputs.shape[1:-1]))  # of any shape that a pass has admitted
    return outputs.detach()


def drawing_part(module: nn.Module, x: Tensor) -> str:
    """Return the innermost module that draws random numbers in evaluation mode, with its class.

    Args:
        module: the network; nothing of it is restored.
        x: inputs (B, ...).
    """
    began: dict[str, dict[str, Any]] = {}
    drawing: list[str] = []
    handles = []
    for name, part in module.named_modules():
        if name and not isinstance(part, torch.jit.ScriptModule):
            handles.append(part.register_forward_pre_hook(lambda *_, n=name: began.update({n: generator_states()})))
            handles.append(
                part.register_forward_hook(
                    lambda m, *_, n=name: (
                        drawing.append(f"{n}: {type(m).__name__}") if drawn_from(began[n], generator_states()) else None
                    )
                )
            )
    with suppress(PhaseError):
        outputs_of(module, x, training=False)
    for handle in handles:
        handle.remove()
    return drawing[0] if drawing else type(module).__name__


def check_outputs(outputs: Tensor, samples: int, classes: int | None = None, positions: tuple[int, ...] = ()) -> None:
    """Refuse what is not a tensor of real numbers (B, C): a loss might broadcast it over the targets.

    Args:
        outputs: the outputs of the model.
        samples: samples that it was given, B.
        classes: outputs that the loss needs for each, C; any number if None.
        positions: (L,) where there is a label for each position, and outputs are (B, L, C).

    Raises:
        ValueError: the model returned something else.
    """
    if outputs.is_complex():
        raise ValueError("the model returned complex numbers; it must return real outputs (B, C)")
    lead = (samples, *positions)
    if tuple(outputs.shape[:-1]) != lead or classes not in {None, outputs.shape[-1]}:
        expected = f"({', '.join(map(str, lead))}, {classes or 'C'})"
        raise ValueError(f"the model gives outputs of shape {tuple(outputs.shape)}, not {expected}")


def leaves_of(total: Tensor) -> list[Tensor]:
    """Return the tensors that a scalar has gradients for, each (...)."""
    leaves: list[Tensor] = []
    waiting: list[Any] = [total.grad_fn]
    seen: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.append(node.variable)
        waiting.extend(following for following, _ in node.next_functions)
    return leaves


def close(a: Mapping[str, Tensor], b: Mapping[str, Tensor], tolerance: float) -> bool:
    """Return whether two sets of tensors are equal but for rounding.

    Each tensor may differ by ``tolerance`` of its norm, or of a hundredth of the norm of all: the bias before a batch
    norm has a gradient of nothing but rounding.

    Args:
        a: name to tensor, (...) each.
        b: the same names and shapes.
        tolerance: difference allowed, relative.
    """
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        return False
    pairs = {name: (_numbers(a[name]), _numbers(b[name])) for name in a}
    norms = {name: _norm(q) for name, (_, q) in pairs.items()}
    whole = sum(norm**2 for norm in norms.values() if math.isfinite(norm)) ** 0.5
    for name, (p, q) in pairs.items():
        difference, norm = _norm(p - q), norms[name]
        if not math.isfinite(difference):  # numbers that are not finite must be in the same places
            finite = q.isfinite()
            if not torch.equal(p.isfinite(), finite):
                return False
            difference, norm = _norm((p - q)[finite]), _norm(q[finite])
        if difference > tolerance * (norm + 0.01 * whole) + 1e-30:
            return False
    return True


def _numbers(t: Tensor) -> Tensor:
    numbers = real_view(t).detach()
    return numbers if numbers.dtype in {torch.float32, torch.float64} else numbers.double()


def _norm(t: Tensor) -> float:
    return float(torch.linalg.vector_norm(t))


@contextmanager
def _gradient_hooks_seen() -> Iterator[list[str]]:
    """Yield a list to which each hook is added that the block registers on a tensor's gradient."""
    seen: list[str] = []
    names: Sequence[str] = ("register_hook", "register_post_accumulate_grad_hook")
    originals = {name: getattr(torch.Tensor, name) for name in names}

    def recording(name: str) -> Any:
        def method(self: Tensor, *arguments: Any, **keywords: Any) -> Any:
            seen.append(name)
            return originals[name](self, *arguments, **keywords)

        return method

    for name in names:
        setattr(torch.Tensor, name, recording(name))
    try:
        yield seen
    finally:
        for name in names:
            setattr(torch.Tensor, name, originals[name])
