"""Kernel and outputs that the points of a grid's ``trainable: {kernel: …}`` start from."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.sections.trainable import EmpiricalKernel, KernelTrainable, ReluKernel
from trainables.data import Dataset, InMemory, load_data
from trainables.kernel.analytic import relu_kernel
from trainables.kernel.dynamics import InitialState, KernelLoss
from trainables.kernel.homogeneity import measure_homogeneity
from trainables.kernel.ntk import empirical_kernel, outputs_of
from trainables.models import build_model, initial_buffers, initial_parameters
from trainables.step.batches import Inputs
from trainables.step.losses import make_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTask:
    """What a kernel learns, and the network that it is of.

    Attributes:
        data: training and test set.
        loss: the loss that is minimized.
        network: the network of an empirical kernel, on the meta device; None for an analytic kernel.
        homogeneity: the degree k that the grid gives, or that of the kernel's network.
    """

    data: Dataset
    loss: KernelLoss
    network: nn.Module | None
    homogeneity: float


@lru_cache(maxsize=64)
def kernel_task(trainable: KernelTrainable) -> KernelTask:
    """Return the task of a grid, cached because measuring a degree trains for a moment.

    Raises:
        InputError: the network is not homogeneous.
    """
    data = load_data(trainable.data)
    loss, kernel, network = make_loss(trainable.loss, data.classes), trainable.kernel, None
    if isinstance(kernel, EmpiricalKernel):
        network = build_model(kernel.model, data.train.shape, loss.outputs)
    if trainable.homogeneity != "measured":
        degree = float(trainable.homogeneity)
    elif isinstance(kernel, ReluKernel):
        degree = float(kernel.depth + 1)
    else:
        assert network is not None
        degree = measure_homogeneity(network, data.train.shape)
    return KernelTask(data=data, loss=loss, network=network, homogeneity=degree)


def initial_state(trainable: KernelTrainable, seed: int, sigma_w: float, device: torch.device) -> InitialState:
    """Return kernel and outputs at t = 0 on all samples, float64 on ``device``.

    Args:
        trainable: the grid's ``trainable``.
        seed: the point's seed, from which an empirical kernel's network is drawn.
        sigma_w: the point's initialization scale σ_w.
        device: device of the kernel.

    Raises:
        InputError: samples are not kept in memory.
    """
    task = kernel_task(trainable)
    data = task.data
    if not isinstance(data.train, InMemory) or not isinstance(data.test, InMemory):
        raise InputError("trainable.data.stream: true is not allowed: a kernel needs all samples at once.")
    data = data.to(device)
    train, test = (Inputs(part, data).first(len(part)) for part in (data.train, data.test))
    if isinstance(trainable.kernel, ReluKernel):
        return _analytic(trainable.kernel, task.loss.outputs, sigma_w, train, test[0])
    return _empirical(trainable, task, (seed, sigma_w), train, test[0])


def _analytic(
    kernel: ReluKernel, outputs: int, sigma_w: float, train: tuple[Tensor, Tensor], x_test: Tensor
) -> InitialState:
    x, x_test, labels = train[0].flatten(1), x_test.flatten(1), train[1]
    zero = torch.zeros(len(x) + len(x_test), outputs, dtype=torch.float64, device=x.device)
    return InitialState(
        train=relu_kernel(x, x, depth=kernel.depth, sigma_w=sigma_w),
        test=relu_kernel(x_test, x, depth=kernel.depth, sigma_w=sigma_w),
        f_train=zero[: len(x)],
        f_test=zero[len(x) :],
        labels=labels,
    )


def _empirical(
    trainable: KernelTrainable,
    task: KernelTask,
    drawn: tuple[int, float],
    train: tuple[Tensor, Tensor],
    x_test: Tensor,
) -> InitialState:
    kernel, module = trainable.kernel, task.network
    assert isinstance(kernel, EmpiricalKernel)
    assert module is not None
    dtype = torch.float64 if kernel.precision == "float64" else torch.float32
    (x, labels), (seed, sigma_w) = train, drawn
    x, x_test = x.to(dtype), x_test.to(dtype)
    initial = initial_parameters(module, seed=seed, sigma_w=sigma_w, sigma_b=trainable.init.sigma_b)
    parameters = {name: p.to(x).requires_grad_() for name, p in initial.items()}
    buffers = initial_buffers(module, sigma_w=sigma_w)
    fixed = {name: b.to(x if b.is_floating_point() else x.device) for name, b in buffers.items()}
    state = parameters | fixed
    keep = 0.0 if kernel.centered else 1.0
    return InitialState(
        train=empirical_kernel(module, state, x).double(),
        test=empirical_kernel(module, state, x, x_test).T.double(),
        f_train=outputs_of(module, state, x).double() * keep,
        f_test=outputs_of(module, state, x_test).double() * keep,
        labels=labels,
    )
