import io
import time

import pytest
from rich.console import Console

from results.store.commits import PointEnd
from search_spaces.outcome import Outcome
from search_spaces.points import make_points
from sweeper.console import duration
from sweeper.driver.display import Display
from sweeper.driver.planning import plan_for
from sweeper.driver.tally import Tally
from sweeper.worker.messages import PackReport
from trainables.profile import profiles_of


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


@pytest.mark.parametrize("until", [30.0, 9.0])
def test_in_the_end_stands_what_the_schedule_was_worth(small_grid, monkeypatch, until):
    grid, out, now = small_grid(), io.StringIO(), 0.0
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Display(Console(file=out, width=200), "small", plan, total=6, done_before=0) as display:
        display.notify(PackReport(pack="a", seconds=0.0))
        now = until
        display.notify(PackReport(pack="b", seconds=15.0, left=True))
        display.notify(PackReport(pack="a", seconds=25.0, left=True))
    last = out.getvalue().splitlines()[-1]
    if until > 10:
        assert last == "trained in 0:30 on 2 workers, 1.20 × the bound (longest pack 0:25, all packs 0:40)"
    else:
        assert "trained in" not in last


def test_the_line_says_what_packs_wait_for_until_they_go_on(small_grid):
    grid, out = small_grid(), io.StringIO()
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    with Display(Console(file=out, width=200), "small", plan, total=6, done_before=0) as display:
        for pack in "ab":
            display.notify(PackReport(pack=pack, waiting="storage refuses: no space"))
        assert str(display._line()).endswith("2 packs waiting: storage refuses: no space")
        display.notify(PackReport(pack="a", steps=1))
        assert str(display._line()).endswith("1 pack waiting: storage refuses: no space")
    assert "1 pack waiting" in out.getvalue().splitlines()[-1]


def test_lines_replace_the_bar_where_there_is_no_terminal(small_grid):
    grid, out = small_grid(), io.StringIO()
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    with Display(Console(file=out, width=200), "small", plan, total=6, done_before=3) as display:
        display.notify(PackReport(pack="a", steps=5, ends=(_end("1"),)))
    first, last = out.getvalue().splitlines()
    assert first.startswith("small: 6 points (3 done before) in ")
    assert last.startswith("1/6 points · 1 pack running · best 0.9000 · κ ≈ 0.50 (1 point)")


def test_a_terminal_shows_a_bar_and_the_time_left(small_grid):
    grid, out = small_grid(), io.StringIO()
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    with Display(Console(file=out, width=120, force_terminal=True), "small", plan, total=6, done_before=0) as display:
        display.notify(PackReport(pack="a", steps=0))
        display.tally.first_report -= 2.0  # as if it had come two seconds ago
        display.notify(PackReport(pack="a", steps=plan.cost.steps // 2))
        display._live.refresh()
    assert "50%" in out.getvalue()
    assert "ETA 0:0" in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (42.4, "0:42"), (3723, "1:02:03"), (3 * 86400 + 4 * 3600 + 300, "3 d 04:05")]
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text
