import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from search_spaces.points import axis_text, count_points, further_axes, make_points, point_from_json, point_to_json
from search_spaces.sections.grid import Grid

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
        "axes.seed=[0, 1]", "axes.eta=[0.3, 7]", "optimizer={name: sgd, mu: 0, nesterov: false}",
        "schedule={name: constant, warmup: 0}", "l2={convention: half, parameters: all}",
        "trainable.augment={mixup: 0}", "trainable.numerics={precision: float32, compile: false}",
        "trainable.data.labels=classes", "measure.train=all",
        "axes.optimizer.nesterov=[false]", "axes.schedule.warmup=[0]", "axes.l2.convention=[half]",
        "axes.model.bias=[true]", "trainable.init={}",
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
        "trainable.model={name: cnn}", "trainable.data.labels=parity", "trainable.data={name: teacher, train: 512}",
        "trainable.loss={name: mse}", "trainable.augment.flip=true", "trainable.augment.crop=4",
        "trainable.augment.resized_crop=true", "trainable.augment.mixup=1", "trainable.numerics.precision=tf32",
        "trainable.numerics.compile=true", "trainable={function: 'a:b'}", "optimizer.mu=0.9", "optimizer.nesterov=true",
        "optimizer.name=adamw", "optimizer={name: adam, coupled: true}", "schedule.warmup=0.1", "schedule.name=cosine",
        "schedule.name=piecewise", "l2.convention=square", "l2.parameters=matrices", "measure.train=100",
        "axes.optimizer.nesterov=[true]", "axes.schedule.warmup=[0.1]", "axes.l2.parameters=[matrices]",
        "axes.model.bias=[false]",
    ],
)  # fmt: skip
def test_ids_change_with_anything_that_changes_rows(digits, setting):
    assert GOLDEN["first"] not in ids(digits(setting))


@pytest.mark.parametrize(
    ("start", "options"),
    [
        ("trainable.model={name: cnn%s}", ["channels: 8", "dense: 8", "pool: 2", "batch_norm: batch"]),
        ("trainable.model={name: wrn%s}", ["depth: 16", "width: 2", "form: original", "batch_norm: running"]),
        ("trainable.model={name: resnet50%s}", ["batch_norm: batch"]),
        ("trainable.data={name: mnist%s}", ["train: 10", "test: 10", "labels: parity", "normalize: channel"]),
        ("trainable.data={name: image_folder, root: x%s}",
         ["size: 8", "size: 8, stream: true", "train: 10", "test: 10", "normalize: channel"]),
        ("trainable.data={name: teacher%s}",
         ["train: 10", "test: 10", "inputs: 2", "classes: 3", "width: 2", "depth: 2", "noise: 0.1", "seed: 1"]),
        ("trainable.loss={name: mse%s}", ["targets: sign", "scale: per_output", "scale: sum"]),
        ("trainable.loss={name: softmax%s}", ["scale: paper", "scale: code"]),
        ("trainable={function: 'a:b'%s}", ["arguments: {x: 1}", "arguments: {x: 1.0}", "arguments: {x: true}",
         "arguments: {x: '1'}", "init: {}", "init: {sigma_b: 1}", "batch: 8", "augment: {flip: true}"]),
        ("optimizer={name: adamw%s}", ["beta1: 0.8", "beta2: 0.8", "epsilon: 1"]),
        ("optimizer={name: adam, coupled: true%s}", ["beta1: 0.8", "beta2: 0.8", "epsilon: 1"]),
        ("schedule={name: piecewise%s}", ["at: [0.5]", "factor: 0.5", "warmup: 0.1"]),
        ("schedule={name: cosine%s}", ["warmup: 0.1"]),
        ("l2={parameters: all%s}", ["convention: square", "convention: per_sample", "auto: {}", "auto: {every: 5}",
         "auto: {signal: train}"]),
    ],
)  # fmt: skip
def test_each_value_of_each_option_is_a_point_of_its_own(digits, start, options):
    points = [ids(digits("axes.lam=[0.1]", start % option))[0] for option in ["", *(f", {o}" for o in options)]]
    assert len(set(points)) == len(points)


def test_ids_of_loops_of_ones_own(digits):
    loops = ["{loop: 'a:b'}", "{loop: 'a:c'}", "{loop: 'a:b', arguments: {x: 1}}"]
    points = [ids(digits(f"trainable={loop}", "measure={every: epoch}"))[0] for loop in loops]
    assert len(set(points)) == 3


def test_ids_do_not_depend_on_the_order_of_arguments(digits):
    one, other = (f"trainable={{function: 'a:b', arguments: {a}}}" for a in ("{x: 1, y: 2}", "{y: 2, x: 1}"))
    assert ids(digits(one)) == ids(digits(other))


def test_ids_do_not_depend_on_where_torchvisions_images_lie(digits):
    place = ["", ", root: elsewhere", ", download: true"]
    assert len({tuple(ids(digits(f"trainable.data={{name: cifar10{p}}}"))) for p in place}) == 1
    folders = {tuple(ids(digits(f"trainable.data={{name: image_folder, root: {r}}}"))) for r in "ab"}
    assert len(folders) == 2


def test_an_axis_value_and_the_same_value_as_a_setting_are_one_point(digits):
    assert ids(digits("axes.model.width=[8]")) == ids(digits("trainable.model.width=8"))
    assert ids(digits("axes.mu=[0.9]")) == ids(digits("optimizer={name: sgd, mu: 0.9}"))
    assert ids(digits("axes.model.bias=[false]")) == ids(digits("trainable.model.bias=false"))
    assert ids(digits("axes.optimizer.nesterov=[true]")) == ids(digits("optimizer.nesterov=true"))
    assert ids(digits("axes.schedule.warmup=[0.1]")) == ids(digits("schedule.warmup=0.1"))
    assert ids(digits("axes.l2.convention=[square]")) == ids(digits("l2.convention=square"))
    assert ids(digits("axes.sigma_w=[1]")) == ids(digits("trainable.init.sigma_w=1"))


def test_json_round_trip(digits):
    for point in make_points(
        digits(
            "axes.model.width=[8, 16]",
            "axes.loss.scale=[mean]",
            "axes.seed=[9007199254740993]",
            "axes.optimizer.nesterov=[true, false]",
        )
    ):
        assert point_from_json(json.loads(json.dumps(point_to_json(point)))) == point


def test_axes_of_a_point(digits):
    point = make_points(digits("axes.model.width=[8]"))[0]
    assert point.axes() == {
        "eta": 0.3, "lam": 0.0, "mu": 0.0, "sigma_w": pytest.approx(2**0.5), "seed": 0, "model.width": 8,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "axes"),
    [
        ([], {}),
        (["axes.seed=[0, 1]", "axes.mu=[0, 0.9]", "axes.sigma_w=[1]"], {}),
        (["axes.sigma_w=[1, 2]", "axes.model.width=[8]"], {"sigma_w": False, "model.width": False}),
        (["axes.batch=[64, full]"], {"batch": True}),
        (["axes.loss.scale=[mean]"], {"loss.scale": True}),
        (["axes.model.bias=[true, false]"], {"model.bias": True}),
        (["axes.optimizer.nesterov=[false]", "axes.schedule.warmup=[0, 0.1]", "axes.l2.parameters=[all]"],
         {"optimizer.nesterov": True, "schedule.warmup": False, "l2.parameters": True}),
    ],
)  # fmt: skip
def test_further_axes(digits, settings, axes):
    """Each with whether its column holds text: a boolean is a word there."""
    assert further_axes(make_points(digits(*settings))) == axes


def test_the_text_of_an_axis_reads_as_the_grid_says_it(digits):
    points = make_points(
        digits("axes.model.bias=[true, false]", "axes.batch=[64, full]", "axes.eta=[1]", "axes.lam=[1]")
    )
    assert {tuple(axis_text(value) for _, value in p.variant) for p in points} == {
        ("true", "64"), ("true", "full"), ("false", "64"), ("false", "full"),
    }  # fmt: skip


def test_the_count_of_a_huge_grid_costs_nothing(digits):
    many = tuple(float(i) for i in range(1, 10_001))
    grid = Grid.model_construct(axes={"eta": many, "lam": many, "mu": many})
    assert count_points(grid) == 10**12


def test_points_left_out_by_their_budget_are_not_made(digits):
    settings = ("axes={eta: [0.3, 1], lam: [0, 0.01, 0.1]}", "budget={rule: inverse_eta_lam, constant: 2, zero_lam: 5}")
    assert len(make_points(digits(*settings))) == 6
    points = make_points(digits(*settings, "budget.leave_out=200"))
    assert [(p.eta, p.lam) for p in points] == [(0.3, 0.0), (0.3, 0.1), (1.0, 0.0), (1.0, 0.01), (1.0, 0.1)]
    with pytest.raises(InputError, match=r"budget.leave_out: every point would train longer than 1 epochs"):
        digits("axes={eta: [0.3], lam: [0.01]}", "budget={rule: fixed, constant: 2, leave_out: 1}")
