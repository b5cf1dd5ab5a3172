"""Sweeps of learning rate, L2 coefficient and budget, and the parts of them that a training script can use.

The names in ``__all__`` are the public interface, for example ``from sweeper import predict_lambda, Task, Dataset,
AutoL2``. Each is imported when it is first accessed, so that ``import sweeper`` needs neither torch nor a second.
Everything else here belongs to the command line and may change. No module of this package but the import hook may be
imported here eagerly.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sweeper import own_packages

if TYPE_CHECKING:
    from sweeper.predict.loop_api import predict_lambda_for_loop
    from sweeper.predict.python_api import predict_lambda
    from sweeper.weights import load_model
    from trainables.auto_l2 import AutoL2
    from trainables.data import Dataset
    from trainables.task import Task

__all__ = ["AutoL2", "Dataset", "Task", "load_model", "predict_lambda", "predict_lambda_for_loop"]

_MODULES = {
    "AutoL2": "trainables.auto_l2",
    "Dataset": "trainables.data",
    "Task": "trainables.task",
    "load_model": "sweeper.weights",
    "predict_lambda": "sweeper.predict.python_api",
    "predict_lambda_for_loop": "sweeper.predict.loop_api",
}

own_packages.install()


def __getattr__(name: str) -> object:
    """Import a public name when it is first accessed.

    Raises:
        AttributeError: the package has no such name.
        ImportError: another module has the name of a package that sweeper needs.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it was found at {__file__}.")
    own_packages.require(own_packages.TO_TRAIN)
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Return all names, those not imported yet included."""
    return sorted({*globals(), *_MODULES})
