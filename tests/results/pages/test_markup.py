import math

import numpy as np
import pytest

from results.pages.markup import format_accuracy, format_estimate, format_number, format_remark, format_text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.012345, "0.0123"),
        (4500, "4\u202f500"),
        (1.5e-5, "1.5·10⁻⁵"),
        (1e-7, "10⁻⁷"),
        (0.0, "0"),
        (-0.98, "−0.98"),
        (math.nan, "–"),
        (None, "–"),
        (math.inf, "∞"),
        (np.int64(7), "7"),
        (np.float64(7654321.0), "7.65·10⁶"),
        ("adam<w>", "adam<w>"),
        (True, "True"),
    ],
)
def test_numbers(value, shown):
    assert format_number(value) == shown


@pytest.mark.parametrize(
    ("value", "pair", "shown"),
    [
        (0.9, (0.85, 1.05), "0.90 [0.85, 1.05]"),
        (0.0059, (0.0007, 0.0122), "0.0059 [0.0007, 0.0122]"),
        (None, None, "–"),
        (0.5, None, "0.5"),
        (0.5, (math.nan, 1.0), "0.5"),
        (0.0, (0.0, 0.0), "0 [0, 0]"),
        (3e-5, (2e-5, 4e-5), "3·10⁻⁵ [2·10⁻⁵, 4·10⁻⁵]"),
    ],
)
def test_estimates(value, pair, shown):
    assert format_estimate(value, pair) == shown


def test_small_pieces():
    assert format_accuracy(0.95) == "0.9500"
    assert format_accuracy(math.nan) == "–"
    assert format_text("") == "–"
    assert format_remark(None) == ""
    assert format_remark("gap <= 0.004, -1 ± 0.1, 1e-3, a-1") == "gap ≤ 0.004, −1 ± 0.1, 0.001, a-1"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("t* goes as eta*lam to the power -1.056 [-1.14, -0.917]", "t* goes as ηλ to the power −1.06 [−1.14, −0.92]"),
        ("below lam = 0.000179, 2.2e+03 epochs", "below λ = 1.79·10⁻⁴, 2\u202f200 epochs"),
        ("the test set of 1,797 images", "the test set of 1\u202f797 images"),
        ("gap 0.9287 at lam_pred, kappa 1.2", "gap 0.9287 at λ_pred, κ 1.2"),
        ("--set axes.eta=[0.2] beta 2026-12-01", "--set axes.eta=[0.2] beta 2026-12-01"),
    ],
)
def test_remarks_have_greek_letters_and_the_numbers_of_tables(said, shown):
    assert format_remark(said) == shown
