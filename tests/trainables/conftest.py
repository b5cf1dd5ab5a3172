"""Points and recipes shared by the tests of training."""

from copy import deepcopy

import pytest
import torch

from search_spaces.points import Point
from search_spaces.recipe import Recipe

SMALL = {
    "trainable": {
        "model": {"name": "fc", "width": 16, "depth": 2},
        "data": {"name": "digits", "train": 64},
        "batch": "full",
    },
    "measure": {"every": "epoch"},
}


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


@pytest.fixture(scope="session")
def make_recipe():
    """A small network on 64 digits, with changes: ``make_recipe({"trainable.batch": 16, "schedule": {...}})``."""

    def make(changes=None):
        data = deepcopy(SMALL)
        for key, value in (changes or {}).items():
            *parents, last = key.split(".")
            section = data
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
        return Recipe.model_validate(data)

    return make
