"""A tabular benchmark, as NAS-Bench and HPOBench are: every λ of a range trained once, for searches to be replayed on.

Axis letters: L values of λ, S seeds, M measured steps.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from trainables.peaked import TAIL_START, Record, is_past, record_if_best

SMOOTHING = 0.15  # decades of λ: standard deviation of the weights of a local line


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Recorded runs of one set-up.

    Attributes:
        lams: λ > 0, ascending and evenly spaced in log λ (L,).
        steps: at which runs were measured, ascending; the last is a whole run (M,).
        objective: accuracy that a search sees (L, S, M).
        judged: best test accuracy within the budget of each λ, by which searches are compared: a mean over seeds,
            smoothed over log λ (L,).
        last: test accuracy over the last tenth of the budget, likewise (L,).
        unregularized: best test accuracy at λ = 0, a mean over seeds.
        rate: decay time of a step at λ = 1, η/(1-μ).
    """

    lams: NDArray[np.float64]
    steps: NDArray[np.int64]
    objective: NDArray[np.float64]
    judged: NDArray[np.float64]
    last: NDArray[np.float64]
    unregularized: float
    rate: float

    @property
    def seeds(self) -> int:
        """Runs of each λ."""
        return self.objective.shape[1]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """What each λ loses to the finely tuned one, in accuracy (L,)."""
        return self.judged.max() - self.judged

    @property
    def gaps_of_last(self) -> NDArray[np.float64]:
        """What the last weights of each λ lose to those of the λ whose last weights are best, in accuracy (L,)."""
        return self.last.max() - self.last

    def nearest(self, lam: float) -> int:
        """Index of the recorded λ that is nearest in log λ."""
        return int(np.abs(np.log(self.lams) - np.log(lam)).argmin())

    def best(self, index: int, seed: int, share: float) -> float:
        """Best accuracy that a search has seen of a run after that share of its steps."""
        return float(self.objective[index, seed, : self._last(share) + 1].max())

    def latest(self, index: int, seed: int, share: float) -> float:
        """The accuracy that was measured last after that share of a run's steps."""
        return float(self.objective[index, seed, self._last(share)])

    def peaked(self, index: int, seed: int) -> float:
        """Share of its steps after which ``stop: peaked`` ends a run."""
        record: Record = []
        for step, accuracy in zip(self.steps.tolist(), self.objective[index, seed].tolist(), strict=True):
            decay_time = self.rate * float(self.lams[index]) * step
            record_if_best(record, accuracy, decay_time)
            if is_past(record, decay_time):
                return float(step / self.steps[-1])
        return 1.0

    def _last(self, share: float) -> int:
        """Place of the last measurement; the first, where there is none yet."""
        after = np.searchsorted(self.steps, share * self.steps[-1] * (1 + 1e-9), side="right")
        return max(0, int(after) - 1)


def by_validation(validation: pd.DataFrame, test: pd.DataFrame, *, rate: float, shared: int, held_out: int) -> Table:
    """Searches see the validation images; the judge is the maximum test accuracy within the budget.

    Args:
        validation: rows of the sweep measured on held-out images.
        test: rows of the same runs measured on the test set.
        rate: η/(1-μ).
        shared: images of the test set, where the held-out ones are among them (digits); they are taken out of it.
        held_out: those.

    Raises:
        ValueError: the two are not of the same runs.
    """
    seen, other = _cube(validation), _cube(test)
    if seen.train.shape != other.train.shape or not np.array_equal(seen.train, other.train, equal_nan=True):
        raise ValueError("the two sweeps did not train alike: their training accuracies differ")
    judge = (shared * other.test - held_out * seen.test) / (shared - held_out) if shared else other.test
    return _table(seen, judge, rate)


def by_test(test: pd.DataFrame, rate: float) -> Table:
    """The paper's protocol: searches see the test set, and are judged by the maximum on it."""
    seen = _cube(test)
    return _table(seen, seen.test, rate)


def rows_of(directory: SweepDir) -> pd.DataFrame:
    """What a table is made of."""
    return read_rows(directory, ["lam", "seed", "step", "train_acc", "test_acc"])


@dataclass(frozen=True, slots=True)
class _Cube:
    lams: NDArray[np.float64]
    steps: NDArray[np.int64]
    train: NDArray[np.float64]
    test: NDArray[np.float64]


def _cube(rows: pd.DataFrame) -> _Cube:
    """Rows as arrays (L, S, M); a run that diverged keeps its last accuracy."""
    wide = rows.pivot(index=["lam", "seed"], columns="step", values=["train_acc", "test_acc"])
    lams = np.sort(rows["lam"].unique())
    shape = (len(lams), rows["seed"].nunique(), -1)
    train, test = (wide[name].ffill(axis=1).to_numpy(np.float64).reshape(shape) for name in ("train_acc", "test_acc"))
    return _Cube(lams, wide["test_acc"].columns.to_numpy(np.int64), train, test)


def _table(seen: _Cube, judge: NDArray[np.float64], rate: float) -> Table:
    """λ = 0, the first, is no value that a search on a logarithmic scale can try."""
    best, last = judge.max(2).mean(1), judge[:, :, seen.steps >= TAIL_START * seen.steps[-1]].mean((1, 2))
    logs = np.log10(seen.lams[1:])
    return Table(
        lams=seen.lams[1:],
        steps=seen.steps,
        objective=seen.test[1:],
        judged=smoothed(logs, best[1:]),
        last=smoothed(logs, last[1:]),
        unregularized=float(best[0]),
        rate=rate,
    )


def smoothed(logs: NDArray[np.float64], accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    """A local line through accuracies against log λ (L,).

    The maximum of fifty noisy means is the luckiest of them; five seeds of the CNN leave 1 % of noise.
    """
    values = []
    for log in logs:
        weights = np.sqrt(np.exp(-0.5 * ((logs - log) / SMOOTHING) ** 2))
        lines = np.column_stack([np.ones_like(logs), logs - log])
        values.append(np.linalg.lstsq(weights[:, None] * lines, weights * accuracies, rcond=None)[0][0])
    return np.array(values)
