"""Losses for a ``Task`` of one's own, under the path that users import them from: ``Softmax``, ``MeanSquaredError``."""

from search_spaces.sections.loss import MeanSquaredError, Softmax

__all__ = ["MeanSquaredError", "Softmax"]
