"""The best setting of a sweep, on tables whose winner is known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.claims.winner import find_winner
from search_spaces.sections.metric import Metric


def points_of(accuracies, **columns):
    """One row a point; ``accuracies`` maps (η, λ) to those of its seeds."""
    rows = [
        {"point": f"{eta}-{lam}-{seed}", "eta": eta, "lam": lam, "mu": 0.0, "seed": seed, "outcome": "completed"}
        | {"best_test_acc": acc, "last_test_acc": acc - 0.01}
        for (eta, lam), seeds in accuracies.items()
        for seed, acc in enumerate(seeds)
    ]
    return pd.DataFrame(rows).assign(**columns)


INSIDE = {
    (0.1, 0.0): [0.80, 0.80],
    (0.1, 1e-4): [0.81, 0.81],
    (0.1, 1e-3): [0.90, 0.92],
    (0.1, 1e-2): [0.85, 0.85],
}


def test_the_mean_over_seeds_decides_and_not_the_best_seed():
    winner = find_winner(points_of(INSIDE | {(0.1, 1e-2): [0.50, 0.99]}))
    assert winner.setting == {"eta": 0.1, "lam": 1e-3}
    assert (winner.accuracy.value, winner.accuracy.seeds) == (pytest.approx(0.91), 2)
    assert winner.accuracy.spread == pytest.approx(np.std([0.90, 0.92], ddof=1))
    assert winner.last.value == pytest.approx(0.90)
    assert winner.zero.value == pytest.approx(0.80)
    assert winner.headline() == (
        "η = 0.1, λ = 0.001: 0.9100 ± 0.0141 (2 seeds); 0.9000 at the end of training; λ = 0 reaches 0.8000"
    )


def test_the_eta_of_zero_is_said_where_it_is_another():
    winner = find_winner(points_of(INSIDE | {(0.3, 0.0): [0.82, 0.82]}))
    assert winner.zero_eta == 0.3
    assert winner.headline().endswith("λ = 0 reaches 0.8200 at η = 0.3")
    assert winner.to_json()["zero_eta"] == 0.3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "lies inside the grid"),
        ({(0.1, 1e-2): [0.95, 0.95]}, "largest of the grid: add λ above 0.01"),
        ({(0.1, 1e-4): [0.95, 0.95]}, "smallest above 0: add λ below 0.0001"),
        ({(0.1, 0.0): [0.95, 0.95]}, "λ = 0 is best"),
        ({(0.1, 0.0): [0.90, 0.90]}, "within the spread of the seeds"),
        ({(0.3, 1e-3): [0.95, 0.95]}, "add η above 0.3"),
        ({(0.03, 1e-3): [0.95, 0.95]}, "add η below 0.03"),
    ],
)
def test_what_to_do_next(changes, words):
    assert words in find_winner(points_of(INSIDE | changes)).next_step


def test_one_lucky_seed_and_what_diverged_do_not_win():
    points = points_of(INSIDE | {(0.3, 1e-3): [0.99] * 2, (1.0, 1e-3): [0.999]})
    points.loc[points["eta"] == 0.3, "outcome"] = "diverged"
    extra = points_of({(0.1, 1e-3): [0.91] * 4})
    assert find_winner(pd.concat([points, extra], ignore_index=True)).setting["eta"] == 0.1


def test_further_axes_that_vary_are_part_of_the_setting():
    points = pd.concat([points_of(INSIDE, width=64), points_of({(0.1, 1e-3): [0.97, 0.97]}, width=128)])
    assert find_winner(points).setting == {"eta": 0.1, "lam": 1e-3, "width": 128}


def test_nothing_that_trained_has_no_winner():
    assert find_winner(points_of(INSIDE, outcome="failed")) is None
    assert find_winner(points_of(INSIDE, best_test_acc=np.nan)) is None


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=6))
def test_no_setting_of_as_many_seeds_has_a_better_mean(table):
    points = points_of({(0.1, 10.0**-k): seeds for k, seeds in enumerate(table)})
    winner = find_winner(points)
    most = max(map(len, table))
    assert winner.accuracy.value == pytest.approx(max(np.mean(s) for s in table if len(s) >= most / 2))
    json.dumps(winner.to_json(), allow_nan=False)


def test_of_losses_the_smallest_mean_wins():
    losses = {(0.1, 0.0): [0.4, 0.4], (0.1, 1e-4): [0.35, 0.37], (0.1, 1e-3): [0.20, 0.22], (0.1, 1e-2): [0.05, 0.9]}
    points = points_of(losses).rename(columns={"best_test_acc": "best_test_loss", "last_test_acc": "last_test_loss"})
    winner = find_winner(points, Metric(name="test_loss"))
    assert winner.setting == {"eta": 0.1, "lam": 1e-3}
    assert winner.headline() == (
        "η = 0.1, λ = 0.001: test loss 0.21 ± 0.01414 (2 seeds); 0.2 at the end of training; λ = 0 reaches 0.4"
    )
    assert winner.next_step == "The best setting lies inside the grid."
    zero = find_winner(
        points[points.lam != 1e-3].assign(best_test_loss=lambda p: p.lam + 0.1), Metric(name="test_loss")
    )
    assert zero.setting["lam"] == 0
