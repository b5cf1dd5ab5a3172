"""Counts of a run in report."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from results.store.commits import PointEnd
from search_spaces.outcome import TRAINED, Outcome
from search_spaces.sections.metric import TEST_ACCURACY, Metric
from sweeper.worker.messages import PackReport


@dataclass(slots=True)
class Tally:
    """Counts of a run so far, fed with the reports of workers and read by the display.

    Attributes:
        total: points to train.
        steps_total: steps of all packs of this run, those taken in earlier runs included.
        done_before: points that the sweep held already.
        best_before: best metric of the points that ended in earlier runs; None without any.
        metric: the quantity by which points are judged.
        steps: pack to the steps that it has behind it.
        trained: steps taken in this run, those that were lost and taken again among them.
        spent: pack to the seconds that workers had it in this run: in attempts before the present one, and in this.
        most_active: packs that were in training at a time, at most: workers may have joined since the plan was made.
        waiting: pack to what it waits for.
    """

    total: int
    steps_total: int
    done_before: int = 0
    best_before: float | None = None
    metric: Metric = TEST_ACCURACY
    steps: dict[str | None, int] = field(default_factory=dict)
    trained: int = 0
    ends: dict[str, PointEnd] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    most_active: int = 0
    spent: dict[str | None, tuple[float, float]] = field(default_factory=dict)
    first_report: float | None = None
    last_report: float = 0.0
    waiting: dict[str | None, str] = field(default_factory=dict)
    # Sums, kept since the display asks for them four times a second and there may be 100,000 ends.
    _steps: int = 0
    _outcomes: Counter[Outcome] = field(default_factory=Counter)
    _best: float | None = None
    _log_kappa: float = 0.0
    _kappas: int = 0

    def add(self, report: PackReport, now: float) -> None:
        """Take in a report that arrived at time ``now``, in seconds."""
        if self.first_report is None:
            self.first_report = now
        self.last_report = now
        if report.steps is not None:
            # The first summary of an attempt says where it goes on: for one tried again, less far than it had come.
            before = self.steps.get(report.pack, report.steps)
            self.trained += max(0, report.steps - before)
            self._steps += report.steps - self.steps.get(report.pack, 0)
            self.steps[report.pack] = report.steps
        if report.seconds is not None:
            earlier, latest = self.spent.get(report.pack, (0.0, 0.0))
            earlier += latest if report.seconds < latest else 0.0
            self.spent[report.pack] = earlier, report.seconds
        for end in report.ends:
            self._add_end(end)
        if report.pack is not None:
            (self.active.discard if report.left else self.active.add)(report.pack)
            self.most_active = max(self.most_active, len(self.active))
        self.waiting.pop(report.pack, None)
        if report.waiting:
            self.waiting[report.pack] = report.waiting

    def _add_end(self, end: PointEnd) -> None:
        before = self.ends.get(end.point)
        for sign, known in ((-1, before), (1, end)):  # a pack that is tried again may repeat some
            if known is not None:
                self._outcomes[known.outcome] += sign
                if known.kappa:
                    self._log_kappa += sign * math.log(known.kappa)
                    self._kappas += sign
        if end.outcome in TRAINED:  # one that diverged is no setting to use
            self._best = best_of([self._best, end.best(self.metric)], self.metric)
        self.ends[end.point] = end

    def rate(self, now: float) -> float:
        """Steps of points a second since training began."""
        elapsed = now - self.first_report if self.first_report is not None else 0.0
        return self.trained / elapsed if elapsed >= 1 else 0.0  # summaries come a second apart

    def remaining_seconds(self, now: float) -> float | None:
        """Expected time until the end, from the steps left; None before there is a rate."""
        rate = self.rate(now)
        return (1 - self.share()) * self.steps_total / rate if rate > 0 else None

    def share(self) -> float:
        """Share of all steps that is done, 0 to 1."""
        return min(1.0, self._steps / max(1, self.steps_total))

    def outcomes(self) -> Counter[Outcome]:
        """Number of ended points by outcome."""
        return +self._outcomes

    def best(self) -> float | None:
        """Best metric of any point that trained as meant, in this run or before it."""
        return best_of([self._best, self.best_before], self.metric)

    def kappa(self) -> tuple[float, int] | None:
        """Geometric mean of κ over the ended points that have one, and their number; None without any."""
        return (math.exp(self._log_kappa / self._kappas), self._kappas) if self._kappas else None

    def makespan(self) -> float:
        """Seconds from the first report to the last."""
        return 0.0 if self.first_report is None else self.last_report - self.first_report

    def pack_seconds(self) -> tuple[float, float]:
        """Seconds that workers spent on packs in this run: of the longest pack, and of all together."""
        seconds = [sum(parts) for parts in self.spent.values()]
        return max(seconds, default=0.0), sum(seconds)


def best_of(values: Iterable[float | None], metric: Metric) -> float | None:
    """Return the best value of a metric; None if none of the values is known."""
    return max((value for value in values if value is not None), key=metric.score, default=None)
