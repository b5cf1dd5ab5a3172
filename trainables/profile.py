"""What a trainable costs, found from its shape alone: nothing is trained."""

import copy
from functools import lru_cache

import torch
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.plan import Profile
from search_spaces.trainable import Trainable
from trainables.data import load_data
from trainables.models import build_model

# The widest activation of a pack should stay in a core's L2 cache (1 MiB on the machine measured). Larger packs save
# nothing there: a step of FC-64 on digits takes 0.71 ms a point in packs of 8 and 0.69 ms in packs of 16, one of
# FC-256 5.5 ms alone and 5.9 ms in packs of 8.
CPU_ACTIVATION_BYTES = 2**20
CPU_MOST_POINTS = 64
LARGE = 10**8  # parameters from which a trial pass is made without memory, on the meta device
SAMPLES = 2  # of the trial forward pass: batch norm refuses one
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
    """FLOP, numbers kept for the backward pass, and the widest layer's output, all of one sample.

    FLOP are those of the layers with weight matrices: 2 · fan-in for each output. (torch's own counter, like
    every pass on the meta device, first imports torch's compiler for a second; only models that may not fit pay it.)
    """
    flops: list[int] = []
    outputs: list[int] = []

    def record(module: nn.Module, _inputs: object, output: Tensor) -> None:
        weight = getattr(module, "weight", None)
        outputs.append(output.numel() // SAMPLES)
        flops.append(2 * weight[0].numel() * outputs[-1] if weight is not None and weight.ndim > 1 else 0)

    large = sum(p.numel() for p in model.parameters()) > LARGE
    device = torch.device("meta" if large else "cpu")
    model = copy.deepcopy(model).to_empty(device=device)
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(record)
    with torch.no_grad():
        model(torch.zeros(SAMPLES, *sample_shape, device=device))
    return float(sum(flops)), sum(outputs), max(outputs)


def _pack_limit(device: str, widest_bytes: int, point_bytes: int) -> int:
    if device == "cpu" or not torch.cuda.is_available():
        return max(1, min(CPU_MOST_POINTS, CPU_ACTIVATION_BYTES // widest_bytes))
    memory = torch.cuda.get_device_properties(0).total_memory
    return max(1, min(GPU_MOST_POINTS, int(memory * GPU_MEMORY_SHARE) // point_bytes))
