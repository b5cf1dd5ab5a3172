import pytest

from search_spaces.changes import conflicts


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
        pytest.param(["optimizer={name: sgd, mu: 0}"], id="a-default-written-out"),
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
    ],
)
def test_a_sweep_may_not_go_on(digits, settings, lines):
    assert conflicts(digits("axes={eta: [1], lam: [0.01]}"), digits("axes={eta: [1], lam: [0.01]}", *settings)) == lines


def test_many_changed_budgets_are_counted(digits):
    lines = conflicts(digits(), digits("budget.constant=1"))
    assert len(lines) == 6
    assert lines[-1] == "… and 22 more budgets"
