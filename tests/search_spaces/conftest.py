"""A small grid, as text with settings, for every test of search spaces."""

import pytest
from hypothesis import HealthCheck, settings

from search_spaces.reading.load import load_grid

settings.register_profile("quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")

# Its own text, not that of grids/digits.yaml: ids and line numbers are compared with it.
DIGITS = """\
# A comment.
name: digits
trainable:
  model: {name: fc, width: 64, depth: 3}
  data: {name: digits, train: 512}
  loss: {name: softmax, scale: paper}
  batch: full
axes:
  eta: [0.3, 1, 3]
  lam: [0, {log: [5e-4, 3e-2], num: 9}]
budget: {rule: inverse_eta_lam, constant: 2, max: 8000}
measure: {log: 60}
analysis: {tolerance: 0.005, budgets: [100, 300, 1000, 3000]}
"""


@pytest.fixture(scope="session")
def digits_text():
    return DIGITS


@pytest.fixture(scope="session")
def digits():
    """The grid with settings: ``digits("axes.mu=[0, 0.9]")``."""
    return lambda *settings: load_grid(DIGITS, "digits.yaml", settings)
