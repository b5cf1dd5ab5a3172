"""Initial values of a module's parameters and buffers."""

import math
from operator import attrgetter

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from trainables.models.ntk_linear import NtkLinear

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)  # _NormBase: BatchNorm*, SyncBatchNorm, InstanceNorm*


def initial_parameters(module: nn.Module, *, seed: int, sigma_w: float, sigma_b: float) -> dict[str, Tensor]:
    """Draw LeCun initialization (SM A): W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²); norms start with scale 1 and shift 0.

    In NTK parametrization W ~ N(0, 1), and σ_w is a buffer. Vectors that are neither biases nor norms, such as a user's
    scale, are 1. All are drawn on the CPU from ``seed`` in the order of the module's parameters. So points of one seed
    start from the same weights on every device, and points of one seed and different σ_w from multiples of them.

    Args:
        module: the network; its own values are not used.
        seed: seed of the draws.
        sigma_w: initialization scale σ_w of the weights.
        sigma_b: initialization scale σ_b of the biases.

    Returns:
        Name to tensor (...), each of the parameter's shape.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for name, p in module.named_parameters():
        # Drawn for norms too, so that a norm does not shift other layers' draws.
        drawn = p.dtype if p.is_complex() else torch.float32
        noise = torch.randn(p.shape, generator=generator, dtype=drawn, device="cpu").to(p.dtype)
        if isinstance(_owner(module, name), NtkLinear):
            parameters[name] = noise
        elif is_weight(module, name):
            parameters[name] = noise * (sigma_w / math.sqrt(p[0].numel()))
        elif not name.endswith("bias"):
            parameters[name] = torch.ones(p.shape, dtype=p.dtype, device="cpu")
        elif _of_norm(module, name):
            parameters[name] = torch.zeros(p.shape, dtype=p.dtype, device="cpu")
        else:
            parameters[name] = noise * sigma_b
    return parameters


def initial_buffers(module: nn.Module, *, sigma_w: float = 1.0) -> dict[str, Tensor]:
    """Return the buffers (...) that training starts from, on the CPU.

    Running means are 0, running variances 1 and counts of batches 0; layers in NTK parametrization have σ_w. Other
    buffers have the module's values.
    """
    return {name: _initial_buffer(_owner(module, name), name, b, sigma_w) for name, b in module.named_buffers()}


def own_parameters(module: nn.Module, scale: float) -> dict[str, Tensor]:
    """Return the values that the module has, its weights times ``scale``, (...) each, on the CPU."""
    return {
        name: p.detach().cpu() * (scale if is_weight(module, name) else 1.0) for name, p in module.named_parameters()
    }


def own_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that the module has, running statistics too, (...) each, on the CPU."""
    return {name: b.detach().cpu().clone() for name, b in module.named_buffers()}


def is_weight(module: nn.Module, name: str) -> bool:
    """Return whether a parameter is a layer's weight, and not a bias or a norm's (a layer norm's may be matrices)."""
    return attrgetter(name)(module).ndim > 1 and not isinstance(_owner(module, name), NORMS)


def _of_norm(module: nn.Module, name: str) -> bool:
    """Return whether the bias ``name`` belongs to one of torch's norms, or to a module whose ``weight`` is a vector."""
    owner = _owner(module, name)
    weight = getattr(owner, "weight", None)
    return isinstance(owner, NORMS) or (isinstance(weight, Tensor) and weight.ndim == 1)


def _initial_buffer(owner: nn.Module, name: str, buffer: Tensor, sigma_w: float) -> Tensor:
    if isinstance(owner, NtkLinear):
        return torch.tensor(sigma_w, dtype=torch.float32, device="cpu")
    return _fresh_statistic(name, buffer) if isinstance(owner, _NormBase) else buffer.detach().cpu().clone()


def _fresh_statistic(name: str, buffer: Tensor) -> Tensor:
    fresh = torch.ones if name.endswith("running_var") else torch.zeros
    return fresh(buffer.shape, dtype=buffer.dtype, device="cpu")


def _owner(module: nn.Module, name: str) -> nn.Module:
    """Return the submodule that has the parameter or buffer ``name``."""
    parent = name.rpartition(".")[0]
    owner: nn.Module = attrgetter(parent)(module) if parent else module  # a script has no get_submodule
    return owner
