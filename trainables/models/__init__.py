"""Models of the paper, each an ordinary ``nn.Module``, and the initial values of their weights.

A module describes one network for one point. Weights are drawn on the CPU from a seed, so that they are the same on
every device. Packing, losses and training must not leak in; they treat all modules alike.
"""

from trainables.models.build import build_model as build_model
from trainables.models.init import initial_buffers as initial_buffers
from trainables.models.init import initial_parameters as initial_parameters
from trainables.models.init import own_buffers as own_buffers
from trainables.models.init import own_parameters as own_parameters
from trainables.models.invariance import scale_invariant as scale_invariant
