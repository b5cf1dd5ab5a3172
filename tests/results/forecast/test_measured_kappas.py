"""The table of measured sweeps: what it holds, and what is taken of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.forecast.measured_kappas import ExpectedKappa, MeasuredKappa, expected_kappa, library

ROOT = Path(__file__).parents[3]


def measured(**changes):
    usual = {"grid": "g.yaml", "network": "fc", "data": "digits", "optimizer": "sgd", "batch_norm": False}
    numbers = {"kappa": 0.5, "gstd": 1.2, "exponent": -1.0, "exponent_low": -1.1, "exponent_high": -0.9}
    return MeasuredKappa(**usual | numbers | {"of_eta": -1.0, "of_lam": -1.0, "points": 9} | changes)


def test_every_row_is_of_a_grid_that_is_there_and_makes_sense():
    for sweep in library():
        assert (ROOT / sweep.grid).is_file()
        assert 0.05 < sweep.kappa < 20
        assert sweep.gstd >= 1
        assert sweep.points >= 4
        assert not sweep.exponent_low > sweep.exponent_high


def test_the_range_holds_every_sweep_that_was_used():
    for optimizer in ("sgd", "adamw"):
        for batch_norm in (False, True):
            found = expected_kappa(optimizer, batch_norm=batch_norm)
            assert {sweep.optimizer for sweep in found.sweeps} == {optimizer}
            assert all(found.low <= sweep.kappa / sweep.gstd for sweep in found.sweeps)
            assert all(found.high >= sweep.kappa * sweep.gstd for sweep in found.sweeps)
            assert found.low < found.kappa < found.high
    assert all(sweep.batch_norm for sweep in expected_kappa("sgd", batch_norm=True).sweeps)


@given(kappa=st.floats(0.05, 10), width=st.floats(0.1, 2), spread=st.floats(0.1, 2))
def test_a_probe_and_the_sweeps_are_weighed_by_their_precision(kappa, width, spread):
    """Of two normal estimates of log κ: between them, nearer to the surer one, and surer than both."""
    known = ExpectedKappa(kappa=1.0, low=0.1, high=9.0, spread=spread, sweeps=(measured(),))
    found, low, high = known.pooled(kappa, kappa * np.exp(-1.96 * width), kappa * np.exp(1.96 * width))
    share = spread**2 / (spread**2 + width**2)
    assert np.log(found) == pytest.approx(share * np.log(kappa), abs=1e-9)
    assert np.log(high / low) / (2 * 1.96) == pytest.approx((width**-2 + spread**-2) ** -0.5)
    assert low < found < high
