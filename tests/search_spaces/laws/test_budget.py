import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.laws.budget import budget_epochs, left_out
from search_spaces.sections.grid import Budget, BudgetException

rates = st.floats(min_value=1e-8, max_value=1e3)
constants = st.floats(min_value=1e-3, max_value=1e3)


@given(rates, rates, constants)
def test_inverse_eta_lam_keeps_the_product(eta, lam, constant):
    epochs = budget_epochs(Budget(rule="inverse_eta_lam", constant=constant), eta, lam)
    assert epochs * eta * lam == pytest.approx(constant, rel=1e-12)


@given(rates, rates, constants)
def test_inverse_lam_keeps_the_product_and_ignores_eta(eta, lam, constant):
    budget = Budget(rule="inverse_lam", constant=constant)
    assert budget_epochs(budget, eta, lam) * lam == pytest.approx(constant, rel=1e-12)
    assert budget_epochs(budget, eta, lam) == budget_epochs(budget, 1.0, lam)


@given(rates, st.just(0.0) | rates, constants)
def test_fixed_is_the_constant_also_without_l2(eta, lam, constant):
    assert budget_epochs(Budget(rule="fixed", constant=constant), eta, lam) == constant


@given(st.sampled_from(["inverse_eta_lam", "inverse_lam", "fixed"]), rates, rates, constants, st.floats(1e-3, 1e6))
def test_the_cap_cuts_and_changes_nothing_else(rule, eta, lam, constant, cap):
    free = budget_epochs(Budget(rule=rule, constant=constant), eta, lam)
    assert budget_epochs(Budget(rule=rule, constant=constant, max=cap), eta, lam) == min(free, cap)


@pytest.mark.parametrize(
    ("eta", "lam", "epochs"),
    [  # Figure 2a-c of the paper (FC, 2/(eta lam)) and 2d-f (WRN, 0.1/(eta lam))
        pytest.param(0.15, 1e-3, 2 / 1.5e-4, id="fc"),
        pytest.param(50.0, 100.0, 4e-4, id="fc-shorter-than-an-epoch"),
    ],
)
def test_the_papers_budgets(eta, lam, epochs):
    assert budget_epochs(Budget(rule="inverse_eta_lam", constant=2), eta, lam) == pytest.approx(epochs, rel=1e-15)


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        pytest.param({}, None, id="no-value"),
        pytest.param({"max": 50}, 50, id="max"),
        pytest.param({"zero_lam": 70}, 70, id="zero-lam"),
        pytest.param({"max": 50, "zero_lam": 70}, 70, id="zero-lam-before-max"),
    ],
)
def test_without_l2(options, epochs):
    for rule in ("inverse_lam", "inverse_eta_lam"):
        assert budget_epochs(Budget(rule=rule, constant=2, **options), 0.1, 0.0) == epochs


def test_an_exception_replaces_rule_and_cap_at_its_point_alone():
    exception = BudgetException(eta=0.2, lam=6.25e-5, epochs=8000)
    budget = Budget(rule="inverse_eta_lam", constant=0.1, max=4000, exceptions=(exception,))
    assert budget_epochs(budget, 0.2, 6.25e-5) == 8000
    assert budget_epochs(budget, 0.2, 1.25e-4) == 4000
    assert budget_epochs(budget, 0.1, 6.25e-5) == 4000


def test_beyond_floating_point_the_budget_is_infinite_or_zero():
    budget = Budget(rule="inverse_eta_lam", constant=2)
    assert budget_epochs(budget, 1e-300, 1e-300) == math.inf
    assert budget_epochs(budget, 1e300, 1e300) == 0


def test_zero_lam_may_depend_on_eta():
    budget = Budget(rule="inverse_eta_lam", constant=2, zero_lam={"over_eta": 1e6})
    assert [budget_epochs(budget, eta, 0.0) for eta in (0.0025, 50)] == [4e8, 2e4]


def test_points_of_too_long_a_budget_are_left_out_but_for_exceptions_and_zero():
    long = [{"eta": 0.2, "lam": 6.25e-5, "epochs": 8000}]
    budget = Budget(rule="inverse_eta_lam", constant=0.1, leave_out=4000, zero_lam=10_000, exceptions=long)
    cells = [(0.1, 2.5e-4), (0.2, 1.25e-4), (0.2, 6.25e-5), (0.1, 1.25e-4), (0.1, 0.0)]
    assert [left_out(budget, *cell) for cell in cells] == [False, False, False, True, False]
    assert not left_out(Budget(rule="inverse_eta_lam", constant=0.1), 0.1, 1e-9)
