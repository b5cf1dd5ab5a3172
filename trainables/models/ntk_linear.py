"""The linear layer of NTK parametrization."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class NtkLinear(nn.Linear):
    """A linear layer σ_w/√fan_in · W x with W ~ N(0, 1) and no bias (section 4; Jacot et al. 2018).

    Attributes:
        sigma_w: σ_w as a buffer, (), so that points of one pack can differ in it.
    """

    sigma_w: Tensor

    def __init__(self, fan_in: int, fan_out: int) -> None:
        """Start with σ_w = 1."""
        super().__init__(fan_in, fan_out, bias=False)
        self.register_buffer("sigma_w", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs (…, fan_in) to outputs (…, fan_out)."""
        return functional.linear(x * (self.sigma_w / math.sqrt(self.in_features)), self.weight)
