"""Import of the analysis while workers train, so that nobody waits for it at the end."""

from importlib import import_module
from threading import Timer

PRELOAD_SECONDS = 10.0  # until the workers of this machine have started, and no longer want its cores for that


def preload_analysis() -> None:
    """Import the analysis in the background: matplotlib and scipy take 1.4 s."""
    timer = Timer(PRELOAD_SECONDS, import_module, ("results.analyze",))
    timer.daemon = True
    timer.start()
