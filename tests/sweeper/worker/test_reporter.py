"""What the driver hears of a pack in training."""

from dataclasses import replace

import pytest
from tests_support import point_end

from search_spaces.outcome import Outcome
from sweeper.worker.checkpoints import Restart
from sweeper.worker.reporter import Reporter


def test_steps_are_those_of_ended_and_of_open_points_and_each_end_is_told_once(make_attempt):
    reporter = Reporter(make_attempt(), interval=1.0)
    reporter.send(8)
    reporter.add_end(point_end("p1", steps=5))
    reporter.send(6)
    reporter.add_end(point_end("p2", Outcome.DIVERGED, steps=7))
    reporter.send(0, left=True)
    heard = make_attempt.heard
    assert [report.steps for report in heard] == [8, 5 + 6, 5 + 7]
    assert [[end.point for end in report.ends] for report in heard] == [[], ["p1"], ["p2"]]
    assert [report.left for report in heard] == [False, False, True]
    assert {report.pack for report in heard} == {"k1"}


def test_steps_of_points_that_ended_in_earlier_attempts_count_too(make_attempt):
    attempt = replace(make_attempt(), restart=Restart(ended=frozenset({"p1"}), steps=40))
    Reporter(attempt, interval=1.0).send(2)
    assert [(report.steps, report.ends) for report in make_attempt.heard] == [(42, ())]


@pytest.mark.parametrize(("later", "due"), [(99.0, False), (101.0, True)])
def test_a_report_is_due_when_the_interval_has_passed_since_the_last(make_attempt, later, due):
    reporter = Reporter(make_attempt(), interval=100.0)
    assert reporter.is_due(reporter._reported + later) is due
    first = reporter._reported
    reporter.send(0)
    assert make_attempt.heard[0].seconds == reporter._reported - first
    assert reporter.is_due(reporter._reported + later) is due
