import json
import math

import pytest
from pydantic import ValidationError

from search_spaces.points import make_points
from search_spaces.recipe import SECTIONS, Recipe, recipe_of, section_path, value_at, without_data_location
from search_spaces.sections.grid import Grid

FUNCTION = "trainable={function: 'a:b'}"
LOOP = ["trainable={loop: 'a:b', arguments: {x: 1}}", "measure={every: epoch}"]
KERNEL = "trainable={kernel: {name: %s}, data: {name: digits}}"
MODEL = "trainable.model={name: %s}"
DATA = "trainable.data={name: %s}"


def content(grid, variant=()):
    return recipe_of(grid, variant).content()


def test_a_recipe_has_the_sections_that_decide(digits):
    grid = digits("optimizer.name=adamw", "schedule.name=cosine", "l2.parameters=matrices")
    recipe = recipe_of(grid)
    assert tuple(Recipe.model_fields) == SECTIONS
    assert all(getattr(recipe, name) == getattr(grid, name) for name in SECTIONS)


def test_defaults_of_a_recipe_are_those_of_a_grid():
    assert all(Recipe.model_fields[name].default == Grid.model_fields[name].default for name in SECTIONS)


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ([], "model.width", 8), ([], "model.bias", False), ([], "loss.scale", "mean"), ([], "batch", 64),
        ([], "data.train", 100), ([], "init.sigma_b", 0.5), ([], "augment.mixup", 1.0),
        ([], "optimizer.nesterov", True), ([], "schedule.warmup", 0.1), ([], "l2.convention", "square"),
        (["l2={auto: {}}", "axes.lam=[0.1]"], "l2.auto.every", 5),
        ([FUNCTION, "trainable.arguments.x=1"], "arguments.x", True), ([FUNCTION], "function", "c:d"),
        ([DATA % "mnist"], "data.name", "cifar10"), (LOOP, "arguments.x", "word"),
    ],
)  # fmt: skip
def test_a_variant_sets_one_key(digits, settings, key, value):
    grid = digits(*settings)
    before, after = recipe_of(grid).model_dump(), recipe_of(grid, ((key, value),)).model_dump()
    here = after
    *parents, last = section_path(key)
    for parent in parents:
        here = here[parent]
    assert here[last] == value
    here[last] = value_at(grid, key)
    assert after == before


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("model.colour", KeyError), ("colour", KeyError), ("colour.model", KeyError), ("optimizer.beta1", KeyError),
        ("schedule.at", KeyError), ("arguments.x", KeyError), ("l2.auto.every", TypeError),
    ],
)  # fmt: skip
def test_a_key_that_the_recipe_does_not_have(digits, key, error):
    with pytest.raises(error):
        recipe_of(digits(), ((key, 8),))


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ([], "model.width", 0), ([], "model.bias", 1), ([], "loss.scale", "code!"), ([], "optimizer.nesterov", 0),
        ([MODEL % "wrn"], "model.depth", 27), (["schedule={name: piecewise}"], "schedule.warmup", 0.5),
        ([DATA % "image_folder, root: x"], "data.stream", True),
    ],
)  # fmt: skip
def test_a_value_that_its_key_does_not_allow(digits, settings, key, value):
    with pytest.raises(ValidationError):
        recipe_of(digits(*settings), ((key, value),))


@pytest.mark.parametrize(
    ("settings", "mu"),
    [
        ([], 0.0), (["optimizer.mu=0.9"], 0.9), (["optimizer.name=adamw"], 0.0),
        (["optimizer={name: adam, coupled: true}"], 0.0), (LOOP, 0.0),
    ],
)  # fmt: skip
def test_momentum(digits, settings, mu):
    assert recipe_of(digits(*settings)).mu == mu
    assert {p.mu for p in make_points(digits(*settings))} == {mu}


@pytest.mark.parametrize(
    ("settings", "sigma_w"),
    [
        pytest.param([], math.sqrt(2), id="fc"),
        pytest.param([MODEL % "cnn"], math.sqrt(2), id="cnn"),
        pytest.param([MODEL % "wrn"], 1.0, id="wrn"),
        pytest.param([MODEL % "resnet50"], 1.0, id="resnet50"),
        pytest.param([FUNCTION], 1.0, id="own"),
        pytest.param([FUNCTION, "trainable.init.sigma_b=0.1"], 1.0, id="own-with-our-initialization"),
        pytest.param(LOOP, 1.0, id="loop"),
        pytest.param([KERNEL % "relu"], math.sqrt(2), id="relu-kernel"),
        pytest.param([KERNEL % "empirical, model: {name: fc}"], math.sqrt(2), id="kernel-of-fc"),
        pytest.param([KERNEL % "empirical, model: {name: wrn}"], 1.0, id="kernel-of-wrn"),
        pytest.param([KERNEL % "relu", "trainable.init.sigma_w=0.5"], 0.5, id="said-for-a-kernel"),
        pytest.param(["trainable.init.sigma_w=0.5"], 0.5, id="said"),
        pytest.param([MODEL % "wrn", "trainable.init.sigma_w=0.5"], 0.5, id="said-for-wrn"),
        pytest.param([FUNCTION, "trainable.init.sigma_w=0.5"], 0.5, id="said-for-own"),
    ],
)
def test_initialization_scale(digits, settings, sigma_w):
    assert recipe_of(digits(*settings)).sigma_w == sigma_w
    assert {p.sigma_w for p in make_points(digits(*settings))} == {sigma_w}


def test_the_content_of_what_was_trained_before_other_options_came(digits):
    """The ids of stored sweeps are made from this; it stays."""
    assert content(digits()) == {
        "trainable": {
            "model": {"name": "fc"}, "data": {"name": "digits", "train": 512},
            "loss": {"name": "softmax", "scale": "paper"},
        },
        "optimizer": {"name": "sgd"},
        "measure": {"log": 60},
    }  # fmt: skip
    assert content(digits("measure={every: epoch}"))["measure"] == {}


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("trainable", [MODEL % "cnn", "trainable.batch=32", "trainable.augment.flip=true"]),
        ("trainable", [FUNCTION, "trainable.arguments={b: 1, a: true}", "trainable.init={}"]),
        ("trainable", LOOP),
        ("trainable", [KERNEL % "relu", "trainable.homogeneity=1"]),
        ("optimizer", ["optimizer={name: adamw, beta1: 0.8}"]),
        ("schedule", ["schedule={name: piecewise, at: [0.5]}"]),
        ("l2", ["l2={auto: {}}", "axes.lam=[0.1]"]),
    ],
)
def test_content_is_json_and_names_what_was_set(digits, section, settings):
    made = content(digits(*settings))
    assert json.loads(json.dumps(made))[section]
    assert made != content(digits())


def test_an_initialization_of_ones_own_is_not_ours(digits):
    assert content(digits(FUNCTION)) != content(digits(FUNCTION, "trainable.init={}"))
    assert content(digits()) == content(digits("trainable.init={}"))
    assert content(digits(KERNEL % "relu")) == content(digits(KERNEL % "relu", "trainable.init={}"))


def test_where_torchvisions_images_lie_decides_nothing(digits):
    assert content(digits(DATA % "mnist, root: here, download: true")) == content(digits(DATA % "mnist"))
    assert content(digits(DATA % "image_folder, root: a")) != content(digits(DATA % "image_folder, root: b"))
    section = {"data": {"name": "image_folder", "root": "a"}}
    assert without_data_location(section) is section


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ([], "model.width", 64), ([], "batch", "full"), ([], "optimizer.nesterov", False), ([], "schedule.warmup", 0.0),
        ([], "l2.convention", "half"), ([FUNCTION, "trainable.arguments.x=7"], "arguments.x", 7), (LOOP, "loop", "a:b"),
        (["l2={auto: {}}", "axes.lam=[0.1]"], "l2.auto.signal", "batch"),
    ],
)  # fmt: skip
def test_value_at(digits, settings, key, value):
    assert value_at(digits(*settings), key) == value


def test_what_is_held_out_counts_only_where_something_is(digits):
    before, after = content(digits()), content(digits("trainable.data.validation=100"))
    assert "validation" not in before["trainable"]["data"]
    assert after["trainable"]["data"] == before["trainable"]["data"] | {"validation": 100}
