"""Processes that train one pack together.

The first of them, the leader, runs the loop, measures, decides and stores. It broadcasts orders, and every process
carries them out on its share of the samples. So only the leader needs to know when a point ends or a run is to stop,
and no process ever waits for one that has left.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from socket import if_nameindex, socket
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from trainables.gpu_fault import raise_gpu_fault
from trainables.task import cause_of
from trainables.user_code import UserCodeError, user_code

# This replaces torch's half hour: the others wait while the leader waits for storage. A lost process is noticed by
# its closed connection.
TIMEOUT = timedelta(days=365)


class GroupLostError(BaseException):
    """A process of the group is gone. This is not an Exception, because it is no fault of the point in training."""


class PartnerError(Exception):
    """An error that the point's code raised in some process of the group, and that all processes know of."""


class Group(Protocol):
    """The processes that train a pack, as one of them sees it.

    Attributes:
        rank: index of this process; 0 is the leader.
        size: number of processes.
    """

    rank: int
    size: int

    def broadcast(self, *order: Any) -> None:
        """Send an order to the other processes; only the leader calls this."""
        ...

    def all_reduce(self, share: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """Return the tensors of ``share``, summed over all processes; every process calls this alike.

        Args:
            share: returns tensors of any shape, (...) each, with the same shapes in every process.

        Raises:
            Exception: the error that ``share`` raised in the leader.
            PartnerError: ``share`` raised an error in a process other than the leader, or this process is not the
                leader.
            GroupLostError: a process is gone.
        """
        ...


class _SingleProcess:
    """A process that trains by itself."""

    rank, size = 0, 1

    def broadcast(self, *order: Any) -> None:
        """Send nothing, because there is no other process."""

    def all_reduce(self, share: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """Return the tensors of ``share``, (...) each, as they are."""
        return list(share())


SINGLE_PROCESS = _SingleProcess()


class TorchGroup:
    """The processes of torch's default process group, which can send tensors of the CPU and of the device.

    Attributes:
        rank: index of this process; 0 is the leader.
        size: number of processes.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def broadcast(self, *order: Any) -> None:
        """Send an order to the other processes; only the leader calls this.

        The order travels by pickle: the group is as trusted as the code that it runs.

        Raises:
            GroupLostError: a process is gone.
        """
        with _detect_lost_process():
            dist.broadcast_object_list([order], src=0, device=torch.device("cpu"))

    def orders(self) -> Iterator[tuple[Any, ...]]:
        """Yield the orders of the leader until it leaves.

        Raises:
            GroupLostError: a process is gone.
        """
        while True:
            received: list[Any] = [None]
            with _detect_lost_process():
                dist.broadcast_object_list(received, src=0, device=torch.device("cpu"))
            if not received[0]:
                return
            yield received[0]

    def leave(self) -> None:
        """Let the other processes go, as far as they are still there; only the leader calls this."""
        with suppress(GroupLostError):
            self.broadcast()

    def all_reduce(self, share: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """Return the tensors of ``share``, (...) each, summed over all processes; every process calls this alike.

        The tensors travel as one. No process waits for another whose code raised an error.

        Raises:
            Exception: the error that ``share`` raised in the leader.
            PartnerError: ``share`` raised an error in a process other than the leader, or this process is not the
                leader.
            GroupLostError: a process is gone.
            GpuFaultError: the GPU of this process has failed.
        """
        tensors: list[Tensor] = []
        error: BaseException | None = None
        try:
            with user_code():
                tensors = list(share())
        except UserCodeError as raised:
            error = raised.error
            raise_gpu_fault(error)  # this process ends, and with it the group
        self._raise_together(error)
        if not tensors:
            return []
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _detect_lost_process():
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def _raise_together(self, error: BaseException | None) -> None:
        """Raise in every process if any process has an error."""
        failed = torch.tensor([error is not None], dtype=torch.int32)
        with _detect_lost_process():
            dist.all_reduce(failed)  # on the CPU, so that nobody waits for a GPU
        if not failed:
            return
        errors: list[Any] = [None] * self.size
        with _detect_lost_process():
            dist.all_gather_object(errors, error and (cause_of(error), "".join(traceback.format_exception(error))))
        if error is not None and self.rank == 0:
            raise error
        rank, (cause, trace) = next((rank, what) for rank, what in enumerate(errors) if what)
        partner = PartnerError(f"process {rank} of {self.size}: {cause}")
        partner.add_note(trace)
        raise partner


def connect(rank: int, size: int, address: tuple[str, int], backend: str, listener: socket | None = None) -> TorchGroup:
    """Connect to the other processes; return when all have come.

    Args:
        rank: index of this process.
        size: number of processes.
        address: host and port where the leader listens.
        backend: torch's name of the backend, such as ``gloo``.
        listener: the leader's socket at ``address``, None elsewhere. A port that torch opens is open on every network.
    """
    if address[0].startswith("127."):  # nothing of these processes may listen elsewhere
        loopback = next(name for _, name in if_nameindex() if name.startswith("lo"))
        os.environ |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    store = dist.TCPStore(  # type: ignore[attr-defined]  # public, though torch does not export it by name
        *address,
        size,
        is_master=listener is not None,
        wait_for_workers=False,
        master_listen_fd=None if listener is None else listener.detach(),
    )
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    return TorchGroup()


@contextmanager
def _detect_lost_process() -> Iterator[None]:
    """Raise ``GroupLostError`` if waiting for the other processes fails."""
    try:
        yield
    except RuntimeError as error:  # torch has no closer type for a connection that is closed
        raise GroupLostError(f"a process that trains the point together with {os.getpid()} is gone: {error}") from error
