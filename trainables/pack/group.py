"""Processes that train one point together.

The first of them, the leader, runs the loop, measures, decides and stores; it says what is to be done, and all of them
do it, each its own share of the samples. So only the leader needs to know when a point ends or a run is to stop, and
no process ever waits for one that has left.
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

from trainables.task import cause_of

# In place of torch's half hour: the others wait while the leader waits for storage; who is gone is noticed otherwise.
TIMEOUT = timedelta(days=365)


class GroupLostError(BaseException):
    """A process of the group is gone. Not an Exception: it is no fault of the point in training."""


class PartnerError(Exception):
    """The code of the point raised an error in a process of the group, and all of them know."""


class Group(Protocol):
    """The processes that train a point, as one of them sees it.

    Attributes:
        rank: which one it is; 0 is the leader.
        size: how many there are.
    """

    rank: int
    size: int

    def broadcast(self, *order: Any) -> None:
        """As the leader: tell the others what is to be done."""
        ...

    def all_reduce(self, share: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """The tensors that ``share`` returns, summed over all processes, which call this alike.

        Raises:
            Exception: what ``share`` raised, in the leader; ``PartnerError`` in other processes, and in all of them if
                it raised in others only.
            GroupLostError: a process is gone.
        """
        ...


class _SingleProcess:
    """A process that trains by itself."""

    rank, size = 0, 1

    def broadcast(self, *order: Any) -> None:
        """To nobody."""

    def all_reduce(self, share: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """Its own."""
        return list(share())


SINGLE_PROCESS = _SingleProcess()


class TorchGroup:
    """The processes of torch's default process group, which can send tensors of the CPU and of the device."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def broadcast(self, *order: Any) -> None:
        """See ``Group``; ``order`` travels by pickle, and the group is as trusted as the code that it runs."""
        with _detect_lost_process():
            dist.broadcast_object_list([order], src=0, device=torch.device("cpu"))

    def orders(self) -> Iterator[tuple[Any, ...]]:
        """What the leader says, until it leaves."""
        while True:
            received: list[Any] = [None]
            with _detect_lost_process():
                dist.broadcast_object_list(received, src=0, device=torch.device("cpu"))
            if not received[0]:
                return
            yield received[0]

    def leave(self) -> None:
        """As the leader: let the others go, those that are still there."""
        with suppress(GroupLostError):
            self.broadcast()

    def all_reduce(self, share: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """See ``Group``. The tensors travel as one; no process waits for one whose code raised."""
        try:
            tensors, error = list(share()), None
        except (Exception, SystemExit) as raised:
            tensors, error = [], raised
        self._raise_together(error)
        if not tensors:
            return []
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _detect_lost_process():
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def _raise_together(self, error: BaseException | None) -> None:
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
    """Meet the other processes; returns when all have come.

    Args:
        rank: of this process.
        size: number of processes.
        address: host and port where the leader listens.
        backend: of torch.
        listener: the leader's socket there. A port that torch opens is open on every network.
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
    """Around what waits for the others."""
    try:
        yield
    except RuntimeError as error:  # torch has no closer type for a connection that is closed
        raise GroupLostError(f"a process that trains the point together with {os.getpid()} is gone: {error}") from error
