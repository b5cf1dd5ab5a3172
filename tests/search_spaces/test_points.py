import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.grid import Grid
from search_spaces.points import count_points, make_points, point_from_json, point_to_json, trainable_of

# Ids name what was trained; a change here orphans every stored sweep.
GOLDEN = {"first": "786d06c15a848f0f", "last": "a8738a95e621a9b7"}


def ids(grid):
    return [point.id for point in make_points(grid)]


def test_golden_ids(digits):
    points = make_points(digits())
    assert len(points) == 30
    assert (points[0].eta, points[0].lam, points[0].budget) == (0.3, 0.0, 8000.0)
    assert (points[-1].eta, points[-1].lam, points[-1].budget) == (3.0, 0.03, 2 / (3 * 0.03))
    assert {"first": points[0].id, "last": points[-1].id} == GOLDEN


def test_ids_are_unique_across_every_kind_of_axis(digits):
    grid = digits("axes.seed=[0, 1]", "axes.mu=[0, 0.9]", "axes.sigma_w=[1, 2]", "axes.model.width=[8, 64]")
    assert len(set(ids(grid))) == count_points(grid) == 30 * 16


def test_the_last_axis_runs_fastest(digits):
    points = make_points(digits("axes={eta: [1, 2], lam: [0.1, 0.2]}"))
    assert [(p.eta, p.lam) for p in points] == [(1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2)]


@given(st.permutations(["eta", "lam", "seed", "model.width", "model.depth"]))
def test_ids_do_not_depend_on_the_order_of_axes(digits, order):
    values = {"eta": [1.0, 0.1], "lam": [0.01], "seed": [0, 3], "model.width": [8, 16], "model.depth": [1, 2]}
    here, there = (digits(f"axes={json.dumps({name: values[name] for name in names})}") for names in (values, order))
    assert set(ids(here)) == set(ids(there))


@pytest.mark.parametrize(
    "setting",
    [
        "name=other", "analysis.tolerance=0.1", "analysis.budgets=[7]", "resources.pack=3", "resources.gpus_per_pack=1",
        "budget.exceptions=[]", "budget.zero_lam=8000", "optimizer={name: sgd}", "trainable.model.bias=true",
        "trainable.init.sigma_b=0", "axes.seed=[0]", "axes.mu=[0]", "axes.model.width=[64]", "axes.lam=[-0.0, 5e-4]",
        "axes.seed=[0, 1]", "axes.eta=[0.3, 7]",
    ],
)  # fmt: skip
def test_ids_stay_when_the_rows_would_be_the_same(digits, setting):
    assert ids(digits(setting))[0] == GOLDEN["first"]


@pytest.mark.parametrize(
    "setting",
    [
        "trainable.model.width=65", "trainable.model.depth=2", "trainable.model.bias=false", "trainable.data.train=511",
        "trainable.loss.scale=mean", "trainable.init.sigma_w=1", "trainable.init.sigma_b=0.1", "trainable.batch=64",
        "optimizer={name: sgd, mu: 0.9}", "measure.log=61", "measure={every: epoch}", "budget.max=8001",
        "axes.seed=[1]", "axes.mu=[0.9]", "axes.sigma_w=[1]", "axes.model.width=[8]", "axes.eta=[0.31]",
    ],
)  # fmt: skip
def test_ids_change_with_anything_that_changes_rows(digits, setting):
    assert GOLDEN["first"] not in ids(digits(setting))


def test_an_axis_value_and_the_same_value_as_a_setting_are_one_point(digits):
    assert ids(digits("axes.model.width=[8]")) == ids(digits("trainable.model.width=8"))
    assert ids(digits("axes.mu=[0.9]")) == ids(digits("optimizer={name: sgd, mu: 0.9}"))
    assert ids(digits("axes.sigma_w=[1]")) == ids(digits("trainable.init.sigma_w=1"))


def test_json_round_trip(digits):
    for point in make_points(
        digits("axes.model.width=[8, 16]", "axes.loss.scale=[mean]", "axes.seed=[9007199254740993]")
    ):
        assert point_from_json(json.loads(json.dumps(point_to_json(point)))) == point


def test_axes_of_a_point(digits):
    point = make_points(digits("axes.model.width=[8]"))[0]
    assert point.axes() == {
        "eta": 0.3, "lam": 0.0, "mu": 0.0, "sigma_w": pytest.approx(2**0.5), "seed": 0, "model.width": 8,
    }  # fmt: skip


def test_trainable_of(digits):
    trainable = trainable_of(digits(), (("model.width", 8), ("loss.scale", "mean")))
    assert (trainable.model.width, trainable.loss.scale, trainable.model.depth) == (8, "mean", 3)


def test_trainable_of_an_unknown_key(digits):
    with pytest.raises(KeyError, match=r"model\.colour"):
        trainable_of(digits(), (("model.colour", 8),))


def test_the_count_of_a_huge_grid_costs_nothing(digits):
    many = tuple(float(i) for i in range(1, 10_001))
    grid = Grid.model_construct(axes={"eta": many, "lam": many, "mu": many})
    assert count_points(grid) == 10**12
