"""Timer that says when a pack commits next: often enough for a crash, rarely enough for the disk."""

import time

INTERVAL_SHARE = 0.02  # interval over the time that a pack has taken: a month of commits is some thousand files
MAX_COMMIT_INTERVAL_SECONDS = 600.0  # the most that a crash may cost
WRITING_SHARE = 0.02  # maximum share of the time that goes into writing


class CommitTimer:
    """Clock of a pack that says when the next commit is due.

    The interval is ``INTERVAL_SHARE`` of the time that the pack has taken, between the grid's ``commit_seconds`` and
    ``MAX_COMMIT_INTERVAL_SECONDS``. It grows if a commit takes so long that writing would exceed ``WRITING_SHARE``.
    """

    def __init__(self, commit_seconds: float, seconds_before: float) -> None:
        """Start the clock.

        Args:
            commit_seconds: minimum time between commits in seconds.
            seconds_before: wall time that earlier attempts spent on the pack.
        """
        self._commit_seconds, self._seconds_before = commit_seconds, seconds_before
        self._started = self._committed = time.monotonic()
        self._commit_cost = 0.0

    @property
    def seconds(self) -> float:
        """Wall time of the pack so far, earlier attempts included."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def interval(self) -> float:
        """Seconds between commits."""
        share = max(self._commit_seconds, min(INTERVAL_SHARE * self.seconds, MAX_COMMIT_INTERVAL_SECONDS))
        return max(share, self._commit_cost / WRITING_SHARE)

    def is_due(self, now: float) -> bool:
        """Return whether a commit is due at ``now``, a time of ``time.monotonic``."""
        return now - self._committed > self.interval

    def record_commit(self, began: float) -> None:
        """Note that a commit is done that began at ``began``, a time of ``time.monotonic``."""
        self._committed = time.monotonic()
        self._commit_cost = self._committed - began
