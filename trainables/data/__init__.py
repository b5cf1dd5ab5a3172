"""Data sets: what a grid's ``trainable.data`` names, and one's own from tensors."""

from trainables.data.dataset import Dataset
from trainables.data.load import load_data
from trainables.data.samples import InMemory, Samples

__all__ = ["Dataset", "InMemory", "Samples", "load_data"]
