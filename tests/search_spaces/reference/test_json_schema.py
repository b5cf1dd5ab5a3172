"""The schema that editors check grids with says the same as ``load_grid``."""

import json
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from search_spaces.reference.json_schema import grid_schema
from search_spaces.yaml_text import read_yaml

jsonschema = pytest.importorskip("jsonschema")

GRIDS = sorted((Path(__file__).parents[3] / "grids").glob("*.yaml"))
GOOD = """\
name: demo
trainable: TRAINABLE
axes: {eta: [0.1, {log: [1, 10], num: 3}], lam: {log: [1e-3, 1e-2], num: 2}}
budget: {rule: inverse_eta_lam, constant: 2, max: 100}
"""
BUILT_IN = "{model: {name: fc}, data: {name: digits}}"


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(grid_schema())


def test_the_schema_is_a_schema():
    schema = json.loads(json.dumps(grid_schema(), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["axes"]["required"] == ["eta", "lam"]


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_grids_of_the_repository(validator, path):
    validator.validate(read_yaml(path.read_text(encoding="utf-8"), path.name).value)


def test_the_grid_as_resolved(validator, digits):
    validator.validate(digits("axes.model.bias=[true, false]", "axes.batch=[full, 64]").model_dump(mode="json"))


@pytest.mark.parametrize(
    ("trainable", "lines"),
    [
        (BUILT_IN, ""),
        ("{function: 'a:b', arguments: {x: 1, y: true, z: text}, init: {}}", ""),
        ("{loop: 'a:b'}", ""),
        ("{kernel: {name: relu, depth: 2}, data: {name: digits}, homogeneity: measured}", ""),
        ("{kernel: {name: empirical, model: {name: fc}}, data: {name: digits}, homogeneity: 2}", ""),
        ("{model: {name: wrn, depth: 16}, data: {name: image_folder, root: x}, loss: {name: mse}}", ""),
        ("{model: {name: cnn, pool: 2}, data: {name: cifar10, train: 500}, augment: {flip: true}}", ""),
        (BUILT_IN, "optimizer: {name: adamw, beta1: 0.8}\nschedule: {name: piecewise, at: [0.5]}\nl2: {auto: {}}"),
        (BUILT_IN, "optimizer: {name: adam, coupled: true}\nschedule: {name: cosine, warmup: 0.1}"),
        (BUILT_IN, "measure: {every: {steps: 5}, train: 100}"),
        # Refused:
        ("{model: {name: fc, channels: 8}, data: {name: digits}}", ""),
        ("{model: {name: transformer}, data: {name: digits}}", ""),
        ("{model: {width: 8}, data: {name: digits}}", ""),
        ("{model: {name: fc}, data: {name: image_folder}}", ""),
        ("{function: a.b}", ""),
        ("{function: 'a:b', model: {name: fc}}", ""),
        ("{function: 'a:b', arguments: {x: [1]}}", ""),
        ("{loop: 'a:b', batch: 3}", ""),
        ("{loop: 'a:b', function: 'a:b'}", ""),
        ("fc", ""),
        (BUILT_IN, "optimizer: {mu: 0.9}"),
        (BUILT_IN, "optimizer: {name: adamw, mu: 0.9}"),
        (BUILT_IN, "schedule: {name: piecewise, at: []}"),
        (BUILT_IN, "l2: {auto: true}"),
        (BUILT_IN, "l2: {convention: double}"),
        (BUILT_IN, "measure: {train: 0, log: 60}"),
        (BUILT_IN, "optimiser: {name: sgd}"),
    ],
)
def test_the_schema_and_load_grid_agree(validator, trainable, lines):
    text = GOOD.replace("TRAINABLE", trainable) + lines
    try:
        load_grid(text, "g.yaml")
        good = True
    except InputError:
        good = False
    assert validator.is_valid(read_yaml(text, "g.yaml").value) == good


@pytest.mark.parametrize(
    "axes",
    ["{eta: [1]}", "{eta: [], lam: [1]}", "{eta: 1, lam: [1]}", "{eta: [1], lam: {log: [0, 1], num: 3}}",
     "{eta: [1], lam: {log: [1], num: 3}}", "{eta: [1], lam: [{log: [1, 2], num: 1}]}", "[1]"],
)  # fmt: skip
def test_axes_that_both_refuse(validator, axes):
    text = "".join(f"{line}\n" for line in GOOD.replace("TRAINABLE", BUILT_IN).split("\n") if "axes" not in line)
    text += f"axes: {axes}\n"
    assert not validator.is_valid(read_yaml(text, "g.yaml").value)
    with pytest.raises(InputError):
        load_grid(text, "g.yaml")
