"""The points of a pack that still train: when each is measured, and when each ends.

A *member* is the index of a point among the points that the pack began with; it never changes. A *position* is its
place on the pack axis P, which moves up whenever a point before it leaves.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.laws.measurement import measured_steps
from search_spaces.outcome import Outcome
from search_spaces.points import Point
from search_spaces.recipe import Recipe
from trainables.measurement import Ended
from trainables.peaked import Record, is_past, record_if_best

SavedRecords = Mapping[int, Sequence[tuple[float, float]]]
"""Member to its record: (score of the metric, decay time) of the measurements better than all before."""


class Members:
    """The members of a pack that still train.

    Attributes:
        training: the members, in the order of the pack axis.
    """

    def __init__(
        self, points: Sequence[Point], recipe: Recipe, last_steps: NDArray[np.int64], steps_per_epoch: int
    ) -> None:
        """Let every point train.

        Args:
            points: the points of the pack.
            recipe: the grid's, with the points' variant applied.
            last_steps: the last optimizer step of each point's budget, (P,).
            steps_per_epoch: optimizer steps of an epoch.
        """
        self.training = list(range(len(points)))
        self._steps_per_epoch = steps_per_epoch
        self._timetable = [measured_steps(recipe.measure, int(n), steps_per_epoch) for n in last_steps]
        self._upcoming = {m: self._due_after(m, 0) for m in self.training}
        self._metric = recipe.metric
        stoppable = [m for m, p in enumerate(points) if recipe.stop == "peaked" and p.lam > 0]
        self._records: dict[int, Record] = {m: [] for m in stoppable}

    @property
    def next_step(self) -> int:
        """The step at which the next measurement is due."""
        return min(self._upcoming.values())

    def epochs(self, step: int) -> float:
        """Return the passes through the training set that ``step`` steps take."""
        return step / self._steps_per_epoch

    def positions_due(self, step: int) -> list[int]:
        """Return the positions of the members that are measured at ``step``, (n,)."""
        return [i for i, m in enumerate(self.training) if self._upcoming[m] == step]

    def record(self, step: int, due: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> tuple[Ended, ...]:
        """Record a measurement, and return the members that end with it.

        Args:
            step: optimizer steps taken.
            due: the members measured, (n,).
            values: column name to the members' numbers, (n,) each.
        """
        finite = np.isfinite(values["train_loss"]) & np.isfinite(values["weight_norm"])
        ends = []
        scores = self._metric.score(values[self._metric.column])
        for m, sound, score, decay_time in zip(
            due, finite.tolist(), scores.tolist(), values["decay_time"].tolist(), strict=True
        ):
            if m in self._records:
                record_if_best(self._records[m], score, decay_time)
            if not sound:
                ends.append(Ended(member=m, outcome=Outcome.DIVERGED, why="loss or weights are not finite"))
            elif step == self._timetable[m][-1]:
                ends.append(Ended(member=m, outcome=Outcome.COMPLETED))
            elif m in self._records and is_past(self._records[m], decay_time, self._metric):
                why = f"its {self._metric.title} has peaked"
                ends.append(Ended(member=m, outcome=Outcome.STOPPED, why=why))
        self._upcoming |= {m: self._due_after(m, step) for m in due}
        return tuple(ends)

    def drop(self, ended: Collection[int]) -> list[int]:
        """Remove the members ``ended``; return the positions of the others before that, (n,)."""
        kept = [i for i, m in enumerate(self.training) if m not in ended]
        self.training = [m for m in self.training if m not in ended]
        self._upcoming = {m: self._upcoming[m] for m in self.training}
        return kept

    def saved_records(self) -> dict[int, list[tuple[float, float]]]:
        """Return a copy of the record of each member that may be stopped: (score, decay time) in order."""
        return {m: list(record) for m, record in self._records.items()}

    def resume(self, step: int, records: SavedRecords) -> None:
        """Continue after ``step`` steps with ``records`` as ``saved_records`` returned them."""
        self._upcoming = {m: self._due_after(m, step) for m in self.training}
        self._records = {m: [(score, time) for score, time in record] for m, record in records.items()}

    def _due_after(self, member: int, step: int) -> int:
        """Return the first step after ``step`` at which ``member`` is measured; its last step when there is none."""
        steps = self._timetable[member]
        return int(steps[min(int(np.searchsorted(steps, step, side="right")), len(steps) - 1)])
