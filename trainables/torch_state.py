"""Torch's global state: neutral while sweeper computes, restored on exit, and random numbers drawn from a seed.

A user's process may have any default dtype, device or mode. A worker has torch's own defaults. ``neutral_torch`` gives
both the same state, so that both compute the same numbers.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import RLock, local
from typing import Any

import numpy as np
import torch
from torch import nn

# Default dtype, threads and generators belong to the whole process, so one thread computes at a time.
_LOCK = RLock()
_CPU = torch.device("cpu")
_THREAD = local()  # whether the calling thread is in ``neutral_torch``


@contextmanager
def neutral_torch(threads: int | None = None, *, flush_denormal: bool = False) -> Iterator[None]:
    """Give torch the state of a fresh process while the block runs, then restore the caller's.

    It covers default dtype and device, autocast, the modes of gradients and inference, anomaly detection, the choice of
    deterministic algorithms, threads, precision, denormal numbers and random numbers. Another thread of the process
    waits until the block ends.

    Args:
        threads: CPU threads in the block; as before if None.
        flush_denormal: whether numbers too small for full precision become 0.
    """
    inside = getattr(_THREAD, "neutral", False)
    if inside and threads is None and not flush_denormal:
        yield  # a measurement would otherwise save and restore all of it, which takes 0.1 ms
        return
    with _LOCK, random_numbers_restored(), _process_settings_restored(), thread_modes_neutral():
        torch.set_default_dtype(torch.float32)
        if torch.are_deterministic_algorithms_enabled():
            torch.use_deterministic_algorithms(False)
        if threads is not None:
            torch.set_num_threads(threads)
        if flush_denormal:
            torch.set_flush_denormal(True)
        _THREAD.neutral = True
        try:
            yield
        finally:
            _THREAD.neutral = inside


@contextmanager
def thread_modes_neutral() -> Iterator[None]:
    """Leave the modes that belong to the calling thread: autocast, inference, no gradients, another device."""
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.is_anomaly_enabled():
            stack.enter_context(torch.autograd.set_detect_anomaly(False))
        if torch.get_default_device() != _CPU:  # a device as a mode costs some microseconds an operation
            stack.enter_context(_CPU)
        yield


@contextmanager
def _process_settings_restored() -> Iterator[None]:
    """Restore the settings of the process."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    search = torch.backends.cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    flushing = sys.float_info.min / 2 == 0  # torch can set this, but not tell it
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = search
        if deterministic:  # setting it imports torch's compiler, which takes a second and leaves a folder behind
            torch.use_deterministic_algorithms(True, warn_only=warn_only)
        torch.set_flush_denormal(flushing)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators of torch, numpy and ``random`` while the block runs, then restore them.

    Another thread of the process that seeds waits until the block ends.
    """
    with _LOCK, random_numbers_restored():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        yield


@contextmanager
def random_numbers_restored() -> Iterator[None]:
    """Restore the generators of torch, numpy and ``random``."""
    # A process that has not used its GPUs must not begin to: that takes memory and breaks a later fork.
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    of_numpy, of_python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=gpus):
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def generator_states(device: torch.device = _CPU) -> dict[str, Any]:
    """Return the states of the process's generators by the name of their library, to be compared with ``drawn_from``.

    Args:
        device: device whose generator of torch is asked for too.
    """
    of_numpy: Any = np.random.get_state(legacy=False)
    numbers = [np.asarray(value).tobytes() for value in of_numpy["state"].values()]
    states: dict[str, Any] = {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy.random": (numbers, of_numpy.get("has_gauss"), of_numpy.get("gauss")),
        "random": random.getstate(),
    }
    if device.type == "cuda":
        states["torch.cuda"] = torch.cuda.get_rng_state(device).numpy().tobytes()
    return states


def drawn_from(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of the generators whose states differ."""
    return [name for name, state in before.items() if after[name] != state]


@contextmanager
def eager(module: nn.Module) -> Iterator[None]:
    """Let what torch.compile made of a module run as it is written while the block runs: compiling takes a minute."""
    with ExitStack() as stack:
        if is_compiled(module):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


def is_compiled(module: nn.Module) -> bool:
    """Return whether torch.compile made a part of ``module``."""
    return any(type(part).__module__.startswith("torch._dynamo") for part in module.modules())
