"""What a trainable costs, found from its shape alone: nothing is trained."""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.errors import InputError
from search_spaces.grid import Trainable
from search_spaces.plan import Profile
from trainables.data import load_data
from trainables.models import build_model

# The widest activation of a pack should stay in a core's L2 cache (1 MiB on the machine measured): FC-64 on digits
# slows from 0.59 ms a point in packs of 4 or 8 to 0.97 ms in packs of 16.
CPU_ACTIVATION_BYTES = 2**20
CPU_MOST_POINTS = 64
GPU_MEMORY_SHARE = 0.5
GPU_MOST_POINTS = 1024


@lru_cache(maxsize=256)
def profile(trainable: Trainable, device: str = "cpu") -> Profile:
    """Sizes and cost of ``trainable``.

    Raises:
        InputError: a batch larger than the training set, or a data set that cannot give what is asked.
    """
    data = load_data(trainable.data)
    train = len(data.y_train)
    batch = train if trainable.batch == "full" else int(trainable.batch)
    if batch > train:
        raise InputError(f"trainable.batch: {batch} is not allowed: the training set has {train} samples.")
    model = build_model(trainable.model, tuple(data.x_train.shape[1:]), data.classes)
    flops, activations, widest = _forward_cost(model, tuple(data.x_train.shape[1:]))
    parameters = sum(p.numel() for p in model.parameters())
    return Profile(
        train=train,
        test=len(data.y_test),
        batch=batch,
        parameters=parameters,
        forward_flops=flops,
        free_train_measurement=batch == train,
        pack_limit=_pack_limit(device, batch * widest * 4, batch * activations * 4 + parameters * 16),
    )


def _forward_cost(model: nn.Module, sample_shape: tuple[int, ...]) -> tuple[float, int, int]:
    """FLOP, numbers kept for the backward pass, and the widest layer's output, all of one sample."""
    outputs: list[int] = []

    def record(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        outputs.append(output.numel() // 2)

    handles = [m.register_forward_hook(record) for m in model.modules() if not list(m.children())]
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(2, *sample_shape, device="meta"))  # two samples: batch norm refuses one
    for handle in handles:
        handle.remove()
    return counter.get_total_flops() / 2, sum(outputs), max(outputs)


def _pack_limit(device: str, widest_bytes: int, point_bytes: int) -> int:
    if device == "cpu" or not torch.cuda.is_available():
        return max(1, min(CPU_MOST_POINTS, CPU_ACTIVATION_BYTES // widest_bytes))
    memory = torch.cuda.get_device_properties(0).total_memory
    return max(1, min(GPU_MOST_POINTS, int(memory * GPU_MEMORY_SHARE) // point_bytes))
