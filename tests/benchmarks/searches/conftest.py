"""The modules of benchmarks/search.py, and a small table."""

import sys
from pathlib import Path

import numpy as np
import pytest

import sweeper.backends.ray  # noqa: F401 - Ray reads its environment once a process, and tests of Ray come after these

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))


@pytest.fixture
def table():
    """Three λ, two seeds, measured after 1, 2 and 4 steps."""
    from searches.table import Table

    objective = [
        [[0.1, 0.2, 0.5], [0.1, 0.2, 0.3]],
        [[0.2, 0.6, 0.4], [0.2, 0.4, 0.7]],
        [[0.4, 0.3, 0.3], [0.5, 0.3, 0.1]],
    ]
    return Table(
        lams=np.array([1e-3, 1e-2, 1e-1]),
        steps=np.array([1, 2, 4]),
        objective=np.array(objective),
        judged=np.array([0.5, 0.75, 0.25]),
        last=np.array([0.5, 0.75, 0.25]),
        unregularized=0.375,
        rate=10.0,
    )
