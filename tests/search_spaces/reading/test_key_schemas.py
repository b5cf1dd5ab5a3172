import pytest

from search_spaces.reading.key_schemas import axis_keys, choice_label, default_name, resolve, schemas_at, section_keys

BUILT_IN = {"trainable": {"model": {"name": "fc"}, "data": {"name": "digits"}}}


def test_axis_keys_are_the_keys_with_one_value():
    keys = axis_keys(BUILT_IN)
    assert {"model.width", "model.bias", "data.train", "loss.scale", "batch", "init.sigma_b", "augment.mixup"} <= {
        *keys
    }
    assert {"optimizer.nesterov", "schedule.warmup", "l2.convention", "l2.parameters"} <= {*keys}
    assert not {"model", "data", "loss", "init", "optimizer", "l2.auto", "model.name", "optimizer.name"} & {*keys}
    assert keys == sorted(set(keys))


def test_coordinates_of_points_are_no_keys():
    assert not {"init.sigma_w", "optimizer.mu"} & {*axis_keys(BUILT_IN)}


@pytest.mark.parametrize(
    ("section", "changes", "keys"),
    [
        pytest.param("model", {"trainable": {"model": {"name": "resnet50"}}}, ["batch_norm"], id="model"),
        pytest.param("optimizer", {}, ["nesterov"], id="default-optimizer"),
        pytest.param("optimizer", {"optimizer": {"name": "adamw"}}, ["beta1", "beta2", "epsilon"], id="adamw"),
        pytest.param("schedule", {}, ["warmup"], id="default-schedule"),
        pytest.param("schedule", {"schedule": {"name": "piecewise"}}, ["factor", "warmup"], id="no-lists"),
        pytest.param("l2", {}, ["convention", "parameters"], id="auto-not-set"),
        pytest.param("l2", {"l2": {"auto": None}}, ["convention", "parameters"], id="auto-null"),
        pytest.param(
            "l2", {"l2": {"auto": {}}}, ["auto.every", "auto.signal", "convention", "parameters"], id="auto-set"
        ),
        pytest.param(
            "data", {"trainable": {"data": {"name": "mnist"}}},
            ["labels", "name", "normalize", "test", "train", "validation"],
            id="not-where-images-lie",
        ),
        pytest.param(
            "data", {"trainable": {"data": {"name": "image_folder"}}},
            ["normalize", "root", "size", "stream", "test", "train", "validation"], id="which-images",
        ),
        pytest.param("arguments", {"trainable": {"function": "a:b"}}, [], id="no-arguments"),
        pytest.param(
            "arguments", {"trainable": {"function": "a:b", "arguments": {"x": 1, "filename": "f", "name": 2}}},
            ["filename", "name", "x"], id="arguments",
        ),
        pytest.param("init", {"trainable": {"function": "a:b"}}, [], id="own-initialization"),
        pytest.param("init", {"trainable": {"function": "a:b", "init": {}}}, ["sigma_b"], id="ours"),
    ],
)  # fmt: skip
def test_axis_keys_are_those_of_the_grid_at_hand(section, changes, keys):
    start = f"{section}."
    assert [key.removeprefix(start) for key in axis_keys(BUILT_IN | changes) if key.startswith(start)] == keys


def test_a_loop_of_ones_own_has_its_arguments_alone():
    assert axis_keys({"trainable": {"loop": "a:b", "arguments": {"x": 1}}}) == ["arguments.x", "loop"]


def test_infinite_width_has_its_kernel_and_reads_no_optimizer():
    data = {"kernel": {"name": "empirical", "model": {"name": "fc"}}, "data": {"name": "digits"}}
    keys = axis_keys({"trainable": data})
    assert {"homogeneity", "kernel.model.width", "kernel.precision", "data.train", "loss.scale"} <= {*keys}
    assert not [key for key in keys if key.startswith(("optimizer", "schedule", "l2", "init.sigma_w"))]


@pytest.mark.parametrize(
    ("trainable", "by", "keys"),
    [
        ({"model": {}}, "model", {"model", "data", "loss"}),
        ({"function": "a:b"}, "function", {"function", "arguments", "batch"}),
        ({"loop": "a:b"}, "loop", {"loop", "arguments"}),
        ({"kernel": {}}, "kernel", {"kernel", "data", "homogeneity"}),
        ({"kernel": {}, "model": {}}, "kernel", {"kernel", "data", "homogeneity"}),
        ({"model": {}, "function": "a:b"}, "function", {"function", "arguments", "batch"}),
        ({"function": "a:b", "loop": "a:b", "model": {}}, "loop", {"loop", "arguments"}),
        ({"modle": {}}, "", {"model", "kernel", "function", "loop", "arguments"}),
        (5, "", {"model", "kernel", "function", "loop", "arguments"}),
    ],
)
def test_the_form_of_a_trainable(trainable, by, keys):
    """As pydantic chooses it: a loop before a function before a model."""
    data = {"trainable": trainable}
    assert choice_label(*resolve(("trainable",), data)) == by
    assert keys <= {*section_keys(schemas_at(("trainable",), data))}
    assert by or len(schemas_at(("trainable",), data)) == 4


def test_the_form_that_a_name_chooses():
    assert choice_label(*resolve(("optimizer",), {"optimizer": {"name": "adamw"}})) == "name: adamw"
    assert choice_label(*resolve(("optimizer",), {"optimizer": {"name": "rmsprop"}})) == ""
    assert choice_label(*resolve(("optimizer",), {"optimizer": {"name": ["sgd"]}})) == ""
    assert choice_label(*resolve(("l2",), {"l2": {"auto": {}}})) == ""  # a section of one form


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("optimizer",), {"name": "sgd"}),
        (("schedule",), {"name": "constant"}),
        (("trainable", "loss"), {"name": "softmax"}),
        (("trainable", "model"), {}),
        (("l2",), {}),
        (("l2", "auto"), {}),
        (("no", "such"), {}),
    ],
)
def test_the_name_of_a_section_that_is_left_out(path, name):
    assert default_name(path, BUILT_IN) == name
