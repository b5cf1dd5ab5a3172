import io
import time

import pytest
from rich.console import Console
from tests_support import point_end

from search_spaces.points import make_points
from sweeper.console import duration
from sweeper.driver.display import Display
from sweeper.driver.planning import plan_for
from sweeper.driver.tally import Tally
from sweeper.worker.messages import PackReport
from trainables.profile import profiles_of


def tally_of(plan, done_before) -> Tally:
    return Tally(total=6, steps_total=plan.cost.steps, done_before=done_before)


@pytest.mark.parametrize("until", [30.0, 9.0])
def test_in_the_end_stands_what_the_schedule_was_worth(small_grid, monkeypatch, until):
    grid, out, now = small_grid(), io.StringIO(), 0.0
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Display(Console(file=out, width=200), "small", plan, tally_of(plan, 0)) as display:
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
    with Display(Console(file=out, width=200), "small", plan, tally_of(plan, 0)) as display:
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
    with Display(Console(file=out, width=200), "small", plan, tally_of(plan, 3)) as display:
        display.notify(PackReport(pack="a", steps=5, ends=(point_end("1", best_test_acc=0.9, kappa=0.5),)))
    first, last = out.getvalue().splitlines()
    assert first.startswith("small: 6 points (3 done before) in ")
    assert last.startswith("1/6 points · 1 pack running · best point 0.9000 · κ ≈ 0.50 (1 point)")


def test_a_terminal_shows_a_bar_and_the_time_left(small_grid):
    grid, out = small_grid(), io.StringIO()
    points = make_points(grid)
    plan = plan_for(grid, points, profiles_of(grid, points), workers=2)
    with Display(Console(file=out, width=120, force_terminal=True), "small", plan, tally_of(plan, 0)) as display:
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
