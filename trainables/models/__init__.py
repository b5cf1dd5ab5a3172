"""Models, each an ordinary ``nn.Module``, and how their weights start; packing is done elsewhere, for all alike."""

from trainables.models.build import build_model as build_model
from trainables.models.init import initial_buffers as initial_buffers
from trainables.models.init import initial_parameters as initial_parameters
from trainables.models.init import own_buffers as own_buffers
from trainables.models.init import own_parameters as own_parameters
from trainables.models.invariance import scale_invariant as scale_invariant
