from dataclasses import replace

import pytest

from results.store.commits import PointEnd
from search_spaces.outcome import Outcome
from search_spaces.sections.metric import Metric
from sweeper.driver.tally import Tally, best_of
from sweeper.worker.messages import PackReport


def _end(point, outcome=Outcome.COMPLETED, acc=0.9, kappa=0.5):
    return PointEnd(
        point=point, pack="k", attempt=0, outcome=outcome, steps=10, seconds=1.0, best_test_acc=acc, kappa=kappa
    )


def test_the_tally_counts_and_estimates():
    tally = Tally(total=4, steps_total=400)
    assert tally.remaining_seconds(0.0) is None
    assert tally.kappa() is None
    tally.add(PackReport(pack="a"), now=10.0)
    tally.add(PackReport(pack="a", steps=0), now=10.0)
    tally.add(PackReport(pack="a", steps=100, ends=(_end("1"), _end("2", acc=0.95, kappa=None))), now=12.0)
    tally.add(PackReport(pack="b", steps=0), now=12.0)
    tally.add(PackReport(pack="b", steps=100, ends=(_end("3", Outcome.FAILED, None, 2.0),), left=True), now=14.0)
    assert tally.rate(10.5) == 0.0
    assert tally.rate(14.0) == 50.0
    assert tally.remaining_seconds(14.0) == 4.0
    assert tally.best() == 0.95
    assert tally.kappa() == (pytest.approx(1.0), 2)  # the geometric mean of 0.5 and 2
    assert tally.outcomes() == {Outcome.COMPLETED: 2, Outcome.FAILED: 1}
    assert tally.active == {"a"}


def test_the_best_is_that_of_the_whole_sweep():
    tally = Tally(total=1, steps_total=10, best_before=0.92)
    assert tally.best() == 0.92
    tally.add(PackReport(pack="a", ends=(_end("1"),)), now=0.0)
    assert tally.best() == 0.92
    tally.add(PackReport(pack="a", ends=(_end("2", acc=0.95),)), now=1.0)
    assert tally.best() == 0.95


def test_a_point_that_diverged_is_not_the_best():
    tally = Tally(total=2, steps_total=20)
    tally.add(PackReport(pack="a", ends=(_end("1"), _end("2", Outcome.DIVERGED, acc=0.99, kappa=None))), now=0.0)
    assert tally.best() == 0.9


def test_a_pack_that_is_tried_again_counts_its_points_once():
    tally = Tally(total=2, steps_total=20)
    tally.add(PackReport(pack="a", ends=(_end("1"),)), now=0.0)
    tally.add(PackReport(pack="a", ends=(_end("1"), _end("2"))), now=1.0)
    assert tally.outcomes() == {Outcome.COMPLETED: 2}
    assert tally.kappa() == (pytest.approx(0.5), 2)


def test_what_an_earlier_run_trained_counts_as_done_and_not_as_speed():
    tally = Tally(total=1, steps_total=1000)
    tally.add(PackReport(pack="a", steps=800), now=0.0)
    tally.add(PackReport(pack="a", steps=900), now=10.0)
    assert tally.share() == 0.9
    assert tally.rate(10.0) == 10.0
    assert tally.remaining_seconds(10.0) == pytest.approx(10.0)


def test_what_a_lost_worker_had_trained_counts_once_as_done_and_twice_as_work():
    tally = Tally(total=1, steps_total=1000)
    for now, steps in enumerate((0, 400, 300, 400, 1000)):  # its checkpoint was of step 300
        tally.add(PackReport(pack="a", steps=steps, left=steps == 1000), now=float(now))
    assert tally.share() == 1.0
    assert tally.rate(4.0) == 1100 / 4


def test_what_packs_took_adds_up_over_attempts():
    tally = Tally(total=2, steps_total=20)
    for now, pack, seconds in [(5, "a", 0.5), (9, "a", 4.0), (12, "a", 0.5), (14, "b", 3.0), (15, "a", 3.0)]:
        tally.add(PackReport(pack=pack, seconds=seconds), now=float(now))
    assert tally.pack_seconds() == (7.0, 10.0)  # pack a had 4 s before its worker was lost, and 3 s after
    assert tally.makespan() == 10.0


def test_a_point_that_ends_twice_counts_as_it_ended_last():
    tally = Tally(total=2, steps_total=20)
    tally.add(PackReport(pack="a", ends=(_end("1", Outcome.FAILED, None, 8.0), _end("2", acc=0.5))), now=0.0)
    tally.add(PackReport(pack="a", ends=(_end("1", kappa=2.0),)), now=1.0)
    assert tally.outcomes() == {Outcome.COMPLETED: 2}
    assert tally.kappa() == (pytest.approx(1.0), 2)
    assert tally.best() == 0.9


def test_the_best_loss_is_the_smallest():
    def end(point, loss, outcome=Outcome.COMPLETED):
        return replace(_end(point, outcome, acc=None), best_metric=loss)

    tally = Tally(total=3, steps_total=30, best_before=0.5, metric=Metric(name="test_loss"))
    tally.add(PackReport(pack="a", ends=(end("1", 0.7), end("2", 0.1, Outcome.DIVERGED))), now=0.0)
    assert tally.best() == 0.5
    tally.add(PackReport(pack="a", ends=(end("3", 0.3),)), now=1.0)
    assert tally.best() == 0.3
    assert best_of([None, None], tally.metric) is None
