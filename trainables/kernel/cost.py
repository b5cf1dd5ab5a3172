"""Cost of infinitely wide networks: kernel and eigenvectors of a pack, then measurements; steps cost nothing."""

from torch import nn

from search_spaces.cost import Profile
from search_spaces.recipe import Recipe
from search_spaces.sections.trainable import KernelTrainable, ReluKernel
from trainables.kernel.start import kernel_task
from trainables.step.l2 import weight_decay_of
from trainables.step.losses import CrossEntropy
from trainables.step.packed import is_matrix_stack

MAX_PACK_POINTS = 64  # points of a pack
MAX_KERNEL_BYTES = 2**31  # for the kernels of a pack, one for each seed of its points
EIGENVECTOR_FLOPS = 9  # FLOP of LAPACK's tridiagonal method, in M³
EXPECTED_EVALUATIONS = 3000  # evaluations of the integrator for one point: 100 to 7,000 were measured on digits


def kernel_profile(recipe: Recipe, trainable: KernelTrainable) -> Profile:
    """Return sizes and cost, from shapes alone.

    float64 counts as the planner's FLOP do, although a core makes half as many.

    Args:
        recipe: the grid's, with a variant applied.
        trainable: its ``trainable``.

    Raises:
        InputError: a network, data set or loss cannot give what the grid asks for.
    """
    task = kernel_task(trainable)
    train, test, outputs = len(task.data.train), len(task.data.test), task.loss.outputs
    rows = train if isinstance(trainable.kernel, ReluKernel) else train * outputs
    columns = outputs * train // rows
    product = 2.0 * rows * rows * columns  # the kernel times one vector of all training outputs
    integrated = isinstance(task.loss, CrossEntropy)
    measured = train + test
    kernel_bytes = 8 * rows * (rows + test * rows // train) * (1 if integrated else 2)
    if task.network is None:
        assert isinstance(trainable.kernel, ReluKernel)
        parameters, derivatives = 0, 50.0 * measured * train * trainable.kernel.depth  # angles, sines
    else:
        parameters, derivatives = _network_cost(task.network, 2.0 * measured * train, outputs)
    k, convention = task.homogeneity, weight_decay_of(recipe.l2, 1.0, train)
    return Profile(
        train=train,
        test=test,
        batch=train,
        parameters=parameters,
        decay=f"Theorem 1 with k = {k:g}: the kernel decays as exp(-{2 * (k - 1) * convention:g} λt), f as "
        f"exp(-{k * convention:g} λt)",
        forward_flops=2.0 * rows * outputs,
        measured=measured,
        watched=0.0,
        pack_limit=max(1, min(MAX_PACK_POINTS, MAX_KERNEL_BYTES // kernel_bytes)),
        flow=True,
        point_flops=EXPECTED_EVALUATIONS * product if integrated else 0.0,
        pack_flops=derivatives + (0.0 if integrated else EIGENVECTOR_FLOPS * float(rows) ** 3),
    )


def _network_cost(module: nn.Module, pairs: float, outputs: int) -> tuple[int, float]:
    """Return (parameters of the network, FLOP of its kernel).

    Args:
        module: the network of the kernel.
        pairs: two times the number of pairs of samples that the kernel is computed for.
        outputs: number of its outputs.
    """
    sizes = [p.shape for p in module.parameters()]
    if is_matrix_stack(module):  # per layer h·h′ and δ·δ′
        return sum(s.numel() for s in sizes), pairs * sum(s[-1] + s[0] * outputs**2 for s in sizes if len(s) > 1)
    return sum(s.numel() for s in sizes), pairs * outputs**2 * sum(s.numel() for s in sizes)
