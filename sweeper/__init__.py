"""Sweeps of learning rate, L2 coefficient and budget; and what of them is of use in anyone's training script.

``from sweeper import predict_lambda, Task, Dataset, AutoL2``: each is imported when it is first asked for, so that
``import sweeper`` needs neither torch nor a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeper.predict.in_code import predict_lambda
    from sweeper.weights import load_model
    from trainables.auto_l2 import AutoL2
    from trainables.data import Dataset
    from trainables.task import Task

__all__ = ["AutoL2", "Dataset", "Task", "load_model", "predict_lambda"]

_MODULES = {
    "AutoL2": "trainables.auto_l2",
    "Dataset": "trainables.data",
    "Task": "trainables.task",
    "load_model": "sweeper.weights",
    "predict_lambda": "sweeper.predict.in_code",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
