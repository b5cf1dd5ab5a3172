"""Points and set-ups shared by the tests of training."""

import pytest
import torch

from search_spaces.grid import Measure
from search_spaces.optimizer import Sgd
from search_spaces.points import Point
from search_spaces.trainable import Digits, FullyConnected, Softmax, Trainable


@pytest.fixture(autouse=True)
def _one_thread():
    """As a worker trains: products of one size are then the same bit for bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def make_point():
    """A point with everything but η and λ at a default."""

    def make(eta=0.3, lam=1e-3, **kwargs):
        values = {"mu": 0.0, "seed": 0, "sigma_w": 2**0.5, "budget": 20.0} | kwargs
        return Point(id=f"{eta}-{lam}-{sorted(values.items())}", eta=eta, lam=lam, **values)

    return make


@pytest.fixture
def make_trainable():
    """A small network on 64 digits."""

    def make(batch="full", width=16, depth=2, scale="mean", train=64):
        return Trainable(
            model=FullyConnected(name="fc", width=width, depth=depth),
            data=Digits(name="digits", train=train),
            loss=Softmax(name="softmax", scale=scale),
            batch=batch,
        )

    return make


@pytest.fixture
def every_epoch():
    return Measure(every="epoch")


@pytest.fixture
def sgd():
    return Sgd(name="sgd")
