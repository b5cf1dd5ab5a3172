import pytest

from sweeper.worker.commit_timer import CommitTimer


@pytest.mark.parametrize(
    ("commit_seconds", "elapsed", "cost", "interval"),
    [
        (10, 0, 0, 10),
        (10, 400, 0, 10),
        (10, 5000, 0, 100),
        (10, 1e7, 0, 600),
        (0, 100, 0, 2),
        (10, 0, 1, 50),
        (1e6, 1e7, 0, 1e6),
    ],
)
def test_the_time_between_commits(commit_seconds, elapsed, cost, interval):
    timer = CommitTimer(commit_seconds, elapsed)
    timer._commit_cost = cost
    assert timer.interval == pytest.approx(interval, rel=0.01, abs=0.1)
