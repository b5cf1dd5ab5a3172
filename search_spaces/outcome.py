"""The outcome of training a point: a value in a table, never a lost row."""

from enum import StrEnum


class Outcome(StrEnum):
    """Outcome of training a point."""

    COMPLETED = "completed"
    """The point trained its whole budget."""
    DIVERGED = "diverged"
    """The loss or the weights became infinite or not a number; the rows up to there are kept."""
    STOPPED = "stopped"
    """A rule of the grid ended the point before its budget."""
    FAILED = "failed"
    """The code of the point raised an error."""


TRAINED = (str(Outcome.COMPLETED), str(Outcome.STOPPED))
"""Outcomes of points that trained as they were meant to."""
