"""How the training of a point ended: a value in a table, never a lost row."""

from enum import StrEnum


class Outcome(StrEnum):
    """Outcome of a point."""

    COMPLETED = "completed"
    """It trained its whole budget."""
    DIVERGED = "diverged"
    """Its loss or weights became infinite or not a number; its rows up to there are kept."""
    STOPPED = "stopped"
    """A rule of the grid ended it before its budget."""
    FAILED = "failed"
    """Its own code raised an error."""


TRAINED = (str(Outcome.COMPLETED), str(Outcome.STOPPED))
"""Outcomes of points that trained as they were meant to."""
