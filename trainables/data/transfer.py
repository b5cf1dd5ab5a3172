"""Copies of host arrays to the device."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def on_device(values: NDArray[Any], device: torch.device) -> Tensor:
    """Copy host arrays of any shape to the device; the tensor has the same shape (...).

    On a GPU this is a copy that the host does not wait for; on a CPU the tensor shares the array's memory. The memory
    is pinned, because from other memory a copy may wait for all that the device still has to do.
    """
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
