"""Faults of a GPU, after which a process can compute nothing more on it."""

import torch

from search_spaces.errors import describe_error
from trainables.memory import out_of_memory


class GpuFaultError(Exception):
    """The GPU of this process has failed. That is no fault of the point in training, and another process may go on."""


def raise_gpu_fault(error: BaseException) -> None:
    """Raise ``GpuFaultError`` if ``error`` says that the GPU of this process fails at all further work.

    After an illegal access, an error of its memory or a lost device, CUDA repeats the error at each later call.

    Args:
        error: what has just been raised.

    Raises:
        GpuFaultError: the GPU has failed.
    """
    if isinstance(error, GpuFaultError):
        raise error
    if out_of_memory(error):
        return
    if (isinstance(error, RuntimeError) and "CUDA error: " in describe_error(error)) or not _answers():
        raise GpuFaultError(describe_error(error)) from error


def _answers() -> bool:
    """Return whether the GPU of this process, if it has used one, does what it is told."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True
