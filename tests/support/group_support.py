"""Processes on this machine that train together, without Ray."""

import os
import socket
import sys
from contextlib import contextmanager
from multiprocessing import get_context

import torch
import torch.distributed as dist
from torch import nn

from sweeper.worker.run_pack import assist_pack
from trainables.data import Dataset
from trainables.pack.group import connect
from trainables.task import Task


def _partner(rank, size, port):
    torch.set_num_threads(1)
    assist_pack(connect(rank, size, ("127.0.0.1", port), "gloo"))


@contextmanager
def led_group(size=2):
    """This process as the leader of a group, and its partners."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    partners = [
        get_context("spawn").Process(target=_partner, args=(r, size, port), daemon=True) for r in range(1, size)
    ]
    for partner in partners:
        partner.start()
    group = connect(0, size, ("127.0.0.1", port), "gloo", listener)
    try:
        yield group, partners
    finally:
        group.leave()
        for partner in partners:
            partner.join(30)
        dist.destroy_process_group()


STEP_OF_ERROR = 4


def _raise(error):
    raise error


SYMPTOMS = {
    "error": lambda: _raise(ValueError("ill")),
    "exit": lambda: sys.exit("ill"),
    "generator-exit": lambda: _raise(GeneratorExit("ill")),
    "process-exit": lambda: os._exit(0),
    "gpu": lambda: _raise(RuntimeError("CUDA error: an illegal memory access was encountered")),
}


class _Ill(nn.Linear):
    """A network that raises an error at its fifth training step, in the process ``rank`` alone."""

    def __init__(self, rank, symptom):
        super().__init__(3, 2)
        self.rank, self.symptom, self.steps = rank, symptom, 0

    def forward(self, x):
        if self.training and dist.is_initialized() and dist.get_rank() == self.rank:
            if self.steps == STEP_OF_ERROR:
                SYMPTOMS[self.symptom]()
            self.steps += 1
        return super().forward(x)


def drops_out():
    """A task whose network draws random numbers."""
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    labels = (x[:, 0] > 0).long()
    data = Dataset.from_tensors(x[:32], labels[:32], x[32:], labels[32:], classes=2)
    return Task(lambda: nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2)), data)


def falls_ill(rank, symptom):
    """A task whose network does."""
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    labels = (x[:, 0] > 0).long()
    return Task(lambda: _Ill(rank, symptom), Dataset.from_tensors(x[:32], labels[:32], x[32:], labels[32:], classes=2))
