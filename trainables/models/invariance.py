"""Search for the weights whose scale does not change a network's outputs: those that a batch norm follows."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainables.models.init import NORMS, initial_buffers, initial_parameters, is_weight
from trainables.models.logits import logits_of
from trainables.models.ntk_linear import NtkLinear

TRIAL_SAMPLES = 4  # with two, batch norm would leave only signs, whose gradient is 0 everywhere
TRIAL_EPSILON = 1e-16  # ε of norms in the trial; the usual 1e-5 changes ResNet-50 on 28×28 images by 7 %
# Relative changes of the outputs per relative change of a weight's scale. In float32, invariant weights of WRN-28-10
# have less than 1e-6 from rounding, and its other weights 1e-3 and more. But rounding alone gives 1e-3 in ResNet-50 on
# 28×28 images, whose last norms see four numbers. With float64 it gives less than 1e-7 even on 8×8 images, in twice
# the time.
MAX_INVARIANT_CHANGE, MIN_DEPENDENT_CHANGE = 1e-5, 1e-3


def scale_invariant(module: nn.Module, sample_shape: tuple[int, ...], tokens: int = 0) -> tuple[str, ...]:
    """Return the names of the weights W whose scale alone does not change the outputs.

    This is measured, not read off names. If f(αW) is constant in α, then <W, ∇_W f> = 0 (Euler). One backward pass from
    a random projection r·f of the outputs, r ~ N(0, 1), gives <W, ∇_W r·f> ~ N(0, |df/dlog α|²) for every W at once.
    Parameters, inputs and projection are drawn from fixed seeds, biases with σ_b = 0.1: beside a bias a weight before a
    layer norm is not invariant.

    A module of torch's layers without a norm among them has no such weights, which costs no pass. WRN-28-10 takes 2 s
    on one core, ResNet-50 1 s on 28×28 images and 7 s on 224×224.

    Args:
        module: the network; its own values are not used.
        sample_shape: shape of one input sample.
        tokens: number of tokens, where samples are tokens; 0 where they are numbers.
    """
    if not _may_normalize(module):
        return ()
    changes = _relative_changes(module, _trial_samples(sample_shape, tokens), torch.float32)
    if any(MAX_INVARIANT_CHANGE < change < MIN_DEPENDENT_CHANGE for change in changes.values()):
        changes = _relative_changes(module, _trial_samples(sample_shape, tokens), torch.float64)
    return tuple(name for name, change in changes.items() if change < MAX_INVARIANT_CHANGE)


def _may_normalize(module: nn.Module) -> bool:
    """Return False if every part of ``module`` is a layer or container of torch or of ours, and none is a norm."""
    return any(isinstance(m, NORMS) or not _is_known_layer(m) for m in module.modules())


def _is_known_layer(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") or isinstance(module, NtkLinear)


def _trial_samples(sample_shape: tuple[int, ...], tokens: int) -> Tensor:
    """Return samples (B, ...) from a fixed seed: tokens, or numbers of different brightness.

    Images differ in brightness: averages over the pixels of plain noise hardly differ, and a norm would amplify that.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (TRIAL_SAMPLES, *sample_shape)
    if tokens:
        return torch.randint(tokens, shape, generator=generator, device="cpu")
    shapes = (TRIAL_SAMPLES, *[1] * len(sample_shape)), shape
    brightness, pixels = (torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu") for shape in shapes)
    return brightness * pixels


def _relative_changes(module: nn.Module, samples: Tensor, dtype: torch.dtype) -> dict[str, float]:
    """Return |r · df/dlog α| / |f| of each weight on samples (B, ...)."""
    initial = initial_parameters(module, seed=0, sigma_w=1.0, sigma_b=0.1)
    parameters = {name: p if p.is_complex() else p.to(dtype) for name, p in initial.items()}
    weights = {name: p.requires_grad_() for name, p in parameters.items() if is_weight(module, name)}
    buffers = {name: b.to(dtype) if b.is_floating_point() else b for name, b in initial_buffers(module).items()}
    x = samples.to(dtype) if samples.is_floating_point() else samples
    with _without_epsilon(module):
        outputs = logits_of(functional_call(module, parameters | buffers, (x,)))
    generator = torch.Generator().manual_seed(1)
    r = torch.randn(outputs.shape, generator=generator, dtype=torch.float32, device="cpu")
    gradients = torch.autograd.grad((r * outputs).sum(), list(weights.values()), materialize_grads=True)
    size = outputs.detach().norm()
    return {
        name: (torch.sum(w.detach() * g, dtype=torch.float64).abs() / size).item()
        for (name, w), g in zip(weights.items(), gradients, strict=True)
    }


@contextmanager
def _without_epsilon(module: nn.Module) -> Iterator[None]:
    """Set a module to training mode, with next to no ε in its norms, while the block runs."""
    modes = {part: part.training for part in module.modules()}
    epsilons = {part: part.eps for part in module.modules() if isinstance(part, NORMS)}
    try:
        module.train()
        for norm in epsilons:
            norm.eps = TRIAL_EPSILON
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        for norm, epsilon in epsilons.items():
            norm.eps = epsilon
