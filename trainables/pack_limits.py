"""Limits on the points of a pack: what computes well together, and the memory of a point."""

from typing import NamedTuple

from trainables.measurement import EVALUATION_BATCH

# The widest activation of a pack should stay in a core's L2 cache (1 MiB on the machine measured). Larger packs save
# nothing: a step of FC-64 on digits takes 0.71 ms a point in packs of 8 and 0.69 ms in packs of 16, one of
# FC-256 5.5 ms alone and 5.9 ms in packs of 8. Small convolutions gain too: 8 channels on 8×8 images, batches of 32,
# 1.8 ms a point alone and 0.8 ms in packs of 8; 32 channels on 28×28 images lose, 186 ms and 208 ms.
MAX_CPU_ACTIVATION_BYTES = 2**20
MAX_CPU_POINTS = 64
# Of any model but a stack of matrices, a pack runs by vmap, as grouped convolutions in another layout. It computes
# slower and saves launches, so that it pays where a GPU waits for the next launch: up to a step of some milliseconds.
MAX_VMAPPED_STEP_FLOPS = 2e11
MAX_GPU_POINTS = 1024
# Copies of the widest activation that a measurement holds: a layer's input, its output and its workspace. Measured for
# the CNN with 16 channels on 32×32 images, whose widest has 67 MB for 1,024 of them: 193 MB alone, 241 in packs.
ACTIVATION_COPIES = 3
# Numbers that a step keeps for its backward pass, over those of a point alone: under vmap a norm keeps its output
# before its scale too. Counted for wide ResNets and CNNs with batch norm: 1.3 to 1.5 times.
VMAPPED_COPIES = 1.5


class ForwardCost(NamedTuple):
    """Cost of a forward pass of one sample.

    Attributes:
        flops: FLOP of the layers with weight matrices.
        activations: numbers kept for the backward pass.
        widest: numbers of the widest layer's output.
    """

    flops: float
    activations: int
    widest: int


class PackShape(NamedTuple):
    """All that decides how many points share a pack, and the memory that each takes.

    Attributes:
        forward: cost of a forward pass.
        micro_batch: samples whose activations a step keeps for its backward pass.
        measured: samples of the larger of training and test set.
        parameters: numbers of the model's parameters.
        by_matrices: whether a pack runs as batched matrix products; otherwise it runs by vmap.
        low: whether the model computes in bfloat16.
        together: whether points of the task may share a program.
    """

    forward: ForwardCost
    micro_batch: int
    measured: int
    parameters: int
    by_matrices: bool
    low: bool
    together: bool

    def cpu_limit(self) -> int:
        """Return the number of points that can share a pack on a CPU."""
        if not self._packs:
            return 1
        return max(1, min(MAX_CPU_POINTS, MAX_CPU_ACTIVATION_BYTES // (self.micro_batch * self.forward.widest * 4)))

    def gpu_limit(self) -> int:
        """Return the number of points that can share a pack on a GPU, whatever its memory."""
        if not self._packs:
            return 1
        step_flops = 3 * self.micro_batch * self.forward.flops
        if self.by_matrices or step_flops == 0:
            return MAX_GPU_POINTS
        return max(1, min(MAX_GPU_POINTS, int(MAX_VMAPPED_STEP_FLOPS / step_flops)))

    def point_bytes(self) -> int:
        """Return the memory that a point takes on a GPU, in bytes.

        Weights, gradients and two moments are float32. In bfloat16 autocast makes a copy of the weights for a step.
        """
        vmapped = not self.by_matrices and self.gpu_limit() > 1
        step = (VMAPPED_COPIES if vmapped else 1.0) * self.micro_batch * self.forward.activations
        measurement = ACTIVATION_COPIES * min(EVALUATION_BATCH, self.measured) * self.forward.widest
        return int((2 if self.low else 4) * max(step, measurement)) + (18 if self.low else 16) * self.parameters

    @property
    def _packs(self) -> bool:
        """Whether points share packs, in the dtypes that each would have alone.

        Autocast does not reach what vmap makes of a layer: in bfloat16, its scales and biases of float32 would turn all
        activations of a pack into float32.
        """
        return self.together and (self.by_matrices or not self.low)
