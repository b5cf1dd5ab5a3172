"""Trials of a training loop that sweeper only calls, in a table that each trial replaces as a whole."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, TypeAlias, TypeGuard

from results.analysis.peaks import TAIL_START
from results.store.files import make_folder, write_text
from results.store.paths import AnyPath
from search_spaces.errors import InputError

Report: TypeAlias = Callable[[int, float], None]
"""Takes the number of steps taken, and the accuracy or loss then."""
TrainLoop: TypeAlias = Callable[[float, int, Report], object]
"""Trains with λ for a number of steps, and reports on the way."""
Mode: TypeAlias = Literal["max", "min"]
"""``max``: values are accuracies, 0 to 1. ``min``: they are losses > 0."""

_COLUMNS = ("lam", "steps", "step", "value")
_Rows: TypeAlias = list[tuple[float, int, int, float]]


@dataclass(slots=True)
class TrialTable:
    """Trials that have ended, in a file that each of them replaces as a whole; without a path, nowhere."""

    path: AnyPath | None

    def tail(self, loop: TrainLoop, lam: float, steps: int, mode: Mode) -> float:
        """Return the mean value over the last tenth of a trial; train it if the table lacks it."""
        rows = self._rows()
        own = [row for row in rows if row[:2] == (lam, steps)]
        if not own:
            own = _trained(loop, lam, steps, mode)
            self._write([*rows, *own])
        tail = [value for _, _, step, value in own if step >= TAIL_START * steps]
        return sum(tail) / len(tail)

    def _rows(self) -> _Rows:
        if self.path is None or not self.path.is_file():
            return []
        text = self.path.read_text(encoding="utf-8")
        try:
            return [
                (float(r["lam"]), int(r["steps"]), int(r["step"]), float(r["value"]))
                for r in csv.DictReader(io.StringIO(text))
            ]
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"{self.path}: this is no table of trials, whose columns are {', '.join(_COLUMNS)}. Remove it, or give "
                "another folder (out=…)."
            ) from None

    def _write(self, rows: Sequence[tuple[float, int, int, float]]) -> None:
        if self.path is None:
            return
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *rows])
        make_folder(self.path.parent)
        write_text(self.path, text.getvalue())


def _trained(loop: TrainLoop, lam: float, steps: int, mode: Mode) -> _Rows:
    """Call the loop, and return its reports."""
    rows: _Rows = []

    def report(step: int, value: float) -> None:
        number = _checked_value(step, value, steps, mode)
        rows.append((lam, steps, step, number))

    loop(lam, steps, report)
    if not any(step >= TAIL_START * steps for _, _, step, _ in rows):
        last = f"its last report was of step {rows[-1][2]}" if rows else "it reported nothing"
        raise InputError(
            f"loop: with lam = {lam:g} and steps = {steps}, {last}. Call report(step, value) in the last tenth of a "
            "run, at least at its last step."
        )
    return rows


def _checked_value(step: object, value: object, steps: int, mode: Mode) -> float:
    """Return a reported value as a float; infinity or NaN means that the run diverged."""
    number = value.item() if hasattr(value, "item") else value
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step <= steps:
        raise InputError(f"report: step {step!r} is not allowed: give the steps taken, an integer from 0 to {steps}.")
    if not is_real(number):
        raise InputError(f"report: value {value!r} is not allowed: give a number.")
    allowed = 0 <= number <= 1 if mode == "max" else number > 0
    if math.isfinite(number) and not allowed:
        kind = "an accuracy from 0 to 1 (for a loss, mode='min')" if mode == "max" else "a loss > 0"
        raise InputError(f"report: value {number:g} at step {step} is not allowed: give {kind}.")
    return float(number)


def is_real(value: object) -> TypeGuard[float]:
    """Return whether a value is a number that can be compared, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)
