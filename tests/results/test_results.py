"""The names that ``results`` itself offers."""

import subprocess
import sys

import pytest

import results
from results.analysis.findings import find
from results.claims.judge import judge


def test_the_facade_offers_the_functions_themselves():
    assert results.find is find
    assert results.judge is judge
    assert {"find", "judge"} <= set(dir(results))
    with pytest.raises(AttributeError, match="no attribute 'fnd'"):
        results.fnd  # noqa: B018


def test_find_and_judge_need_neither_drawing_nor_training():
    code = (
        "import results, sys; assert 'pandas' not in sys.modules; from results import find, judge; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "torch", "ray", "mlflow"} & set(loaded)
