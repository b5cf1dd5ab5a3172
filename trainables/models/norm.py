"""Batch norm, as the grid names its kinds."""

from torch import nn

from search_spaces.sections.model import BatchNorm


def batch_norm(kind: BatchNorm, channels: int) -> nn.BatchNorm2d:
    """Return the batch norm of a grid.

    ``batch``: by the statistics of every batch, in tests too, as stax does (SM A). ``running``: torch's own. Both have
    stax's ε, 1e-5.
    """
    return nn.BatchNorm2d(channels, track_running_stats=kind == "running")
