import pytest

from search_spaces import changes
from search_spaces.points import make_points


def conflicts(old, new, known=()):
    return changes.conflicts(old, new, make_points(new), known)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param([], id="nothing"),
        pytest.param(["axes.eta=[0.1, 0.3, 1, 3, 10]"], id="longer-axis"),
        pytest.param(["axes.eta=[1]"], id="shorter-axis"),
        pytest.param(["axes.seed=[0, 1]"], id="new-axis"),
        pytest.param(["axes.mu=[0, 0.9]", "axes.model.width=[8, 64]"], id="new-axes-of-both-kinds"),
        pytest.param(["analysis={tolerance: 0.01, budgets: [5]}"], id="analysis"),
        pytest.param(["resources.pack=2"], id="resources"),
        pytest.param(["name=other"], id="name"),
        pytest.param(["budget.zero_lam=8000"], id="the-same-budgets-said-otherwise"),
        pytest.param(["optimizer={name: sgd, mu: 0, nesterov: false}"], id="a-default-written-out"),
        pytest.param(["schedule={name: constant}", "l2={convention: half}"], id="default-sections-written-out"),
        pytest.param(
            ["axes.optimizer.nesterov=[false, true]", "axes.l2.parameters=[all]"], id="axes-of-other-sections"
        ),
    ],
)
def test_a_sweep_may_go_on(digits, settings):
    assert conflicts(digits(), digits(*settings)) == []


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        pytest.param(["trainable.model.width=128"], ["trainable.model.width: 64 → 128"], id="trainable"),
        pytest.param(
            ["trainable.model.width=128", "trainable.batch=32"],
            ["trainable.model.width: 64 → 128", "trainable.batch: full → 32"],
            id="all-differences-are-shown",
        ),
        pytest.param(["optimizer={name: sgd, mu: 0.9}"], ["optimizer.mu: 0.0 → 0.9"], id="optimizer"),
        pytest.param(
            ["optimizer={name: adamw}"],
            [
                "optimizer.name: sgd → adamw", "optimizer.mu: 0.0 → null", "optimizer.nesterov: false → null",
                "optimizer.beta1: null → 0.9", "optimizer.beta2: null → 0.999", "optimizer.epsilon: null → 1e-08",
            ],
            id="other-optimizer",
        ),
        pytest.param(["optimizer.nesterov=true"], ["optimizer.nesterov: false → true"], id="nesterov"),
        pytest.param(["schedule.warmup=0.1"], ["schedule.warmup: 0.0 → 0.1"], id="schedule"),
        pytest.param(["l2.parameters=matrices"], ["l2.parameters: all → matrices"], id="l2"),
        pytest.param(["l2.auto={}"], ["l2.auto: null → {every: 10, signal: the text 'batch'}"], id="auto"),
        pytest.param(["trainable.augment.flip=true"], ["trainable.augment.flip: false → true"], id="augment"),
        pytest.param(["measure.train=100"], ["measure.train: all → 100"], id="samples-that-are-measured"),
        pytest.param(
            ["measure={every: epoch}"],
            ["measure.every: null → epoch", "measure.log: 60 → null"],
            id="measure",
        ),
        pytest.param(
            ["axes={eta: [1], lam: [0.01, 0.02]}", "budget.constant=3"],
            ["budget of eta 1, lam 0.01: 200 → 300 epochs"],
            id="budget-of-a-shared-point",
        ),
        pytest.param(
            ["axes.model.width=[64, 128]", "axes.lam=[0.01]", "budget.constant=3"],
            ["budget of eta 1, lam 0.01: 200 → 300 epochs"],
            id="budget-of-a-point-that-gained-an-axis",
        ),
        pytest.param(
            ["axes.optimizer.nesterov=[false, true]", "axes.lam=[0.01]", "budget.constant=3"],
            ["budget of eta 1, lam 0.01: 200 → 300 epochs"],
            id="budget-of-a-point-that-gained-an-axis-of-the-optimizer",
        ),
    ],
)  # fmt: skip
def test_a_sweep_may_not_go_on(digits, settings, lines):
    assert conflicts(digits("axes={eta: [1], lam: [0.01]}"), digits("axes={eta: [1], lam: [0.01]}", *settings)) == lines


def test_many_changed_budgets_are_counted(digits):
    lines = conflicts(digits(), digits("budget.constant=1"))
    assert len(lines) == 6
    assert lines[-1] == "… and 22 more budgets"


def test_images_may_be_moved(digits):
    mnist = "trainable.data={name: mnist, root: %s, download: %s}"
    assert conflicts(digits(mnist % ("here", "true")), digits(mnist % ("there", "false"))) == []
    assert conflicts(digits(mnist % ("here", "true")), digits("trainable.data={name: mnist, test: 10}")) == [
        "trainable.data.test: all → 10"
    ]


def test_a_folder_of_images_may_not_be_moved(digits):
    folder = "trainable.data={name: image_folder, root: %s}"
    assert conflicts(digits(folder % "a"), digits(folder % "b")) == ["trainable.data.root: a → b"]


def test_arguments_of_ones_own_code_may_not_change(digits):
    function = "trainable={function: 'a:b', arguments: {x: %s}}"
    assert conflicts(digits(function % 1), digits(function % 2)) == ["trainable.arguments.x: 1 → 2"]
    assert conflicts(digits(function % 1), digits(function % 1, "axes.arguments.x=[1, 2]")) == []


def test_points_of_grids_before_the_last_must_keep_their_budgets_too(digits):
    """eta 3 was dropped from the axis, then comes back with another budget."""
    first, second = digits("axes.eta=[1, 3]"), digits("axes.eta=[1]")
    third = digits("axes.eta=[3]", "budget.constant=3")
    assert conflicts(second, third) == []
    lines = conflicts(second, third, make_points(first))
    assert lines[0].startswith("budget of eta 3, lam")
    assert conflicts(second, first, make_points(first)) == []


def test_points_of_an_axis_that_was_dropped_are_others_than_those_without_it(digits):
    """Widths 4 and 16 were trained with one budget; with width 8 alone another is as good as a new sweep."""
    base = ["axes={eta: [1], lam: [0.01]}", "trainable.model.width=8"]
    first = digits(*base, "axes.model.width=[4, 16]")
    second = digits(*base, "budget.constant=3")
    known = [*make_points(first), *make_points(second)]
    assert conflicts(first, second, make_points(first)) == []
    assert conflicts(second, second, known) == []
    assert conflicts(second, digits(*base, "budget.constant=3", "axes.eta=[1, 3]"), known) == []
    again = digits(*base, "budget.constant=3", "axes.model.width=[8, 16]")
    assert conflicts(second, again, known) == ["budget of eta 1, lam 0.01: 200 → 300 epochs"]
