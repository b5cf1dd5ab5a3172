"""Summaries of a pack in training for the driver."""

import time

from results.store.commits import PointEnd
from sweeper.worker.attempt import Attempt
from sweeper.worker.messages import PackReport


class Reporter:
    """Reporter of a pack: counts steps, and sends them to the driver with the ends of points, each end once."""

    def __init__(self, attempt: Attempt, interval: float) -> None:
        """Continue after the steps that the restart of ``attempt`` counts.

        Args:
            attempt: the attempt to report on.
            interval: seconds between reports.
        """
        self._attempt, self._interval = attempt, interval
        self._started = self._reported = time.monotonic()
        self._steps_of_ended = attempt.restart.steps
        self._unreported: list[PointEnd] = []

    def add_end(self, end: PointEnd) -> None:
        """Add the end of a point to the next report."""
        self._steps_of_ended += end.steps
        self._unreported.append(end)

    def is_due(self, now: float) -> bool:
        """Return whether a report is due at ``now``, a time of ``time.monotonic``."""
        return now - self._reported > self._interval

    def send(self, steps_of_open: int, *, left: bool = False) -> None:
        """Send a report.

        Args:
            steps_of_open: optimizer steps taken so far by the points that have not ended, all together.
            left: whether the worker leaves the pack.
        """
        self._reported = time.monotonic()
        report = PackReport(
            pack=self._attempt.pack.id,
            steps=self._steps_of_ended + steps_of_open,
            ends=tuple(self._unreported),
            left=left,
            seconds=self._reported - self._started,
        )
        self._attempt.notify(report)
        self._unreported = []
