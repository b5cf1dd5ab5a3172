"""Data sets: those that a grid's ``trainable.data`` names, and a user's, made from tensors.

Every set is a ``Dataset`` of training and test samples, in memory or streamed from files, with the numbers that
normalize them. A set is the same on every machine and in every process. Models, steps and points must not leak in.
"""

from trainables.data.dataset import Dataset, Targets
from trainables.data.load import load_data
from trainables.data.samples import InMemory, Samples

__all__ = ["Dataset", "InMemory", "Samples", "Targets", "load_data"]
