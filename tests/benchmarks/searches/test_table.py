import numpy as np
import pandas as pd
import pytest
from searches.table import by_test, by_validation


def rows(test_acc, train_acc=0.5):
    """Two λ and λ = 0, two seeds, measured after 1 and 2 steps."""
    points = [(lam, seed, step) for lam in (0.0, 0.01, 0.1) for seed in (0, 1) for step in (1, 2)]
    frame = pd.DataFrame(points, columns=["lam", "seed", "step"])
    return frame.assign(train_acc=train_acc, test_acc=test_acc).sample(frac=1, random_state=0)


VALIDATION = [0.1, 0.2, 0.1, 0.2, 0.5, 0.4, 0.3, 0.6, 0.3, 0.1, 0.2, 0.2]
TEST = [0.2, 0.4, 0.2, 0.2, 0.8, 0.5, 0.4, 0.6, 0.2, 0.3, 0.1, 0.1]


def test_searches_see_validation_and_the_maximum_on_the_test_set_judges():
    table = by_validation(rows(VALIDATION), rows(TEST), rate=1, shared=0, held_out=4)
    assert table.lams.tolist() == [0.01, 0.1]
    assert table.objective[0].tolist() == [[0.5, 0.4], [0.3, 0.6]]
    np.testing.assert_allclose(table.judged, [(0.8 + 0.6) / 2, (0.3 + 0.1) / 2])
    assert table.unregularized == pytest.approx((0.4 + 0.2) / 2)
    np.testing.assert_allclose(table.gaps, [0, 0.5])


def test_validation_images_are_taken_out_of_a_test_set_that_holds_them():
    table = by_validation(rows(VALIDATION), rows(TEST), rate=1, shared=10, held_out=2)
    # (10 · test - 2 · validation)/8: 0.875 and 0.525, then 0.425 and 0.6; of λ = 0.1 0.35 and 0.075 at most
    np.testing.assert_allclose(table.judged, [(0.875 + 0.6) / 2, (0.35 + 0.075) / 2])


def test_on_the_test_set_searches_see_what_judges():
    table = by_test(rows(TEST), 1)
    assert table.objective[1].tolist() == [[0.2, 0.3], [0.1, 0.1]]
    np.testing.assert_allclose(table.judged, [0.7, 0.2])


def test_a_run_that_diverged_keeps_its_last_accuracy():
    frame = rows(TEST)
    table = by_test(frame[~((frame.lam == 0.1) & (frame.seed == 0) & (frame.step == 2))], 1)
    assert table.objective[1].tolist() == [[0.2, 0.2], [0.1, 0.1]]


def test_sweeps_of_other_runs_are_refused():
    with pytest.raises(ValueError, match="did not train alike"):
        by_validation(rows(VALIDATION), rows(TEST, train_acc=0.6), rate=1, shared=0, held_out=4)


def test_accuracies_within_a_share_of_a_run(table):
    assert [table.best(1, 0, share) for share in (0.25, 0.5, 1.0)] == [0.2, 0.6, 0.6]
    assert [table.latest(1, 0, share) for share in (0.1, 0.25, 0.6, 0.99, 1.0)] == [0.2, 0.2, 0.6, 0.6, 0.4]


def test_the_nearest_lam_is_that_of_the_nearest_logarithm(table):
    assert [table.nearest(lam) for lam in (1e-9, 3e-3, 3.3e-3, 3.2e-2, 7)] == [0, 0, 1, 2, 2]
