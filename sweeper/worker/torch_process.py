"""Torch in a worker process: its settings for training, and the name of the device."""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from trainables.memory import join_gpu_memory, keep_freed_memory
from trainables.torch_state import neutral_torch


@contextmanager
def training_settings(threads: int) -> Iterator[None]:
    """Give torch a neutral state with ``threads`` CPU threads for training; the caller's is restored on exit.

    The process may be somebody's notebook.
    """
    keep_freed_memory()
    join_gpu_memory()
    # Weights that decay towards 0 would otherwise become 100 times slower numbers.
    with neutral_torch(threads, flush_denormal=True):
        yield


def device_name(device: str) -> str:
    """Return the name of a torch device, such as ``NVIDIA H200`` or ``AMD EPYC 9R14 (cpu)``."""
    if device == "cuda" and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    # Linux has no other name of the processor than this line; on ARM there is none.
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if platform.system() == "Linux" else ""
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return f"{model[1].strip() if model else platform.processor() or platform.machine()} (cpu)"
