import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_support import SMALL

from results.analysis.regime import TrainingRegime, regime_of
from search_spaces.reading.load import load_grid
from search_spaces.sections.optimizer import Constant, Cosine, Piecewise

PAPER = Piecewise(name="piecewise")


@pytest.mark.parametrize(
    ("regime", "share"),
    [
        (TrainingRegime(), 1.0),
        (TrainingRegime(schedule=PAPER), 0.3),
        (TrainingRegime(schedule=Piecewise(name="piecewise", at=(0.5,))), 0.5),
        (TrainingRegime(schedule=Piecewise(name="piecewise", warmup=0.1)), 0.0),
        (TrainingRegime(schedule=Cosine(name="cosine")), 0.0),
        (TrainingRegime(schedule=Constant(name="constant", warmup=0.05)), 0.0),
        (TrainingRegime(auto_l2=True), 0.0),
    ],
)
def test_share_of_the_budget_at_the_first_eta_and_lam(regime, share):
    assert regime.constant_share({}) == share
    assert regime.constant_shares(pd.DataFrame({"eta": [0.1, 0.2]})).tolist() == [share, share]


def test_an_axis_of_the_schedule_goes_before_the_section():
    table = pd.DataFrame({"schedule.name": ["constant", "piecewise", "cosine", "piecewise"]})
    assert TrainingRegime().constant_shares(table).tolist() == [1.0, 0.3, 0.0, 0.3]
    assert TrainingRegime(schedule=Piecewise(name="piecewise", at=(0.4,))).constant_shares(table)[1] == 0.4
    warm = pd.DataFrame({"schedule.warmup": [0.0, 0.1]})
    assert TrainingRegime().constant_shares(warm).tolist() == [1.0, 0.0]
    assert TrainingRegime().never_constant(table) == ""
    assert "cosine" in TrainingRegime(schedule=Cosine(name="cosine")).never_constant(warm)


def test_auto_l2_does_not_depend_on_the_budget():
    table = pd.DataFrame({"eta": [0.1]})
    assert not TrainingRegime(auto_l2=True).stretched(table).any()
    assert TrainingRegime(auto_l2=True, schedule=PAPER).stretched(table).all()
    assert "AutoL2" in TrainingRegime(auto_l2=True).never_constant(table)


@given(st.lists(st.sampled_from(["constant", "piecewise", "cosine"]), max_size=20))
def test_shares_are_those_of_each_row(names):
    table = pd.DataFrame({"schedule.name": pd.Series(names, dtype=object)})
    expected = [TrainingRegime().constant_share({"schedule.name": name}) for name in names]
    np.testing.assert_array_equal(TrainingRegime().constant_shares(table), expected)


def test_setup_of_a_grid():
    assert regime_of(load_grid(SMALL, "small.yaml")) == TrainingRegime()
    text = SMALL.replace("axes:", "schedule: {name: piecewise}\nl2: {auto: {}}\naxes:").replace("lam: [0, ", "lam: [")
    text = text.replace("train: 64}", "train: 64}\n  loss: {name: mse}")
    assert regime_of(load_grid(text, "other.yaml")) == TrainingRegime(schedule=PAPER, auto_l2=True, squared_error=True)
