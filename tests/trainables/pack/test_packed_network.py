"""Weights of a pack: made once for each start, stacked, and taken apart again."""

import pytest
import torch

import trainables.pack.packed_network
from trainables.pack.training import PackTraining
from trainables.task import built_from, initial_weights, task_of

STARTS = [(0, 1.0), (0, 1.0), (1, 1.0), (0, 2.0), (1, 1.0)]


@pytest.fixture
def network(make_recipe, make_point):
    """The network of five points that have three starts."""
    points = [make_point(lam=1e-3 * i, seed=seed, sigma_w=sigma_w) for i, (seed, sigma_w) in enumerate(STARTS)]
    return PackTraining(points, make_recipe())._network


def test_points_of_one_start_have_its_weights(make_recipe, network):
    trainable = make_recipe().trainable
    for i, (seed, sigma_w) in enumerate(STARTS):
        parameters, _ = initial_weights(trainable, built_from(task_of(trainable), seed), seed, sigma_w)
        for name, p in parameters.items():
            assert torch.equal(network.parameters[name][i], p)
    assert len({p.data_ptr() for p in network.parameters.values()}) == len(network.parameters)


def test_weights_are_made_once_for_each_start(make_recipe, make_point, monkeypatch):
    made = []

    def counted(trainable, module, seed, sigma_w):
        made.append((seed, sigma_w))
        return initial_weights(trainable, module, seed, sigma_w)

    monkeypatch.setattr(trainables.pack.packed_network, "initial_weights", counted)
    points = [make_point(lam=1e-3 * i, seed=seed, sigma_w=sigma_w) for i, (seed, sigma_w) in enumerate(STARTS)]
    PackTraining(points, make_recipe())
    assert made == [(0, 1.0), (1, 1.0), (0, 2.0)]


@pytest.mark.parametrize("positions", [[0], [2], [1, 2, 3], [0, 1, 2, 3, 4], [3, 1], [0, 2, 4]], ids=str)
def test_the_weights_of_some_points_are_theirs(network, positions):
    weights = network.weights_at(positions)
    assert network.points_of(weights) == len(positions)
    for name, p in network.parameters.items():
        assert torch.equal(weights.parameters[name], torch.stack([p[i] for i in positions]))
    neighbors = positions == list(range(positions[0], positions[0] + len(positions)))
    copied = {t.untyped_storage().data_ptr() for t in weights.parameters.values()}
    assert (copied == {t.untyped_storage().data_ptr() for t in network.parameters.values()}) == neighbors
