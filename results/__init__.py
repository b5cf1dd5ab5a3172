"""Results of sweeps: from the rows that workers commit to peaks, fits, verdicts, figures and the report.

The rooms below are a stack: ``store`` reads and writes sweep directories; ``analysis``, ``claims`` and ``forecast``
turn frames into numbers and open no file; ``figures``, ``pages`` and ``gallery`` show them. Nothing here trains, so
nothing here may import torch or Ray. ``from results import find, judge`` analyzes frames of your own; each name is
imported when it is first used, so that ``import results`` loads neither pandas nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from search_spaces.namesakes import missing_attribute

BELONGS_TO = "sweeper"  # another package that is installed over this one has no such name

if TYPE_CHECKING:
    from results.analysis.findings import find
    from results.claims.judge import judge

__all__ = ["find", "judge"]

_MODULES = {"find": "results.analysis.findings", "judge": "results.claims.judge"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise missing_attribute(__name__, name)
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
