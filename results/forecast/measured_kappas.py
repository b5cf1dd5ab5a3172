"""κ of sweeps that were measured: the first guess of a λ, without any probe.

``results/forecast/kappa.csv`` holds a row for each sweep; ``benchmarks/kappa_library.py`` writes it from sweep
directories.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["ExpectedKappa", "MeasuredKappa", "expected_kappa", "library"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredKappa:
    """κ of one measured sweep.

    Attributes:
        grid: path of its grid file.
        network: the network in words.
        data: the data in words.
        optimizer: name of the optimizer.
        batch_norm: whether the network has batch norm.
        kappa: geometric mean of the decay time at t*.
        gstd: geometric standard deviation of that time.
        exponent: exponent of t* in ηλ/(1-μ); NaN where it could not be fitted.
        exponent_low: low end of the 95 % interval of the exponent.
        exponent_high: high end of that interval.
        of_eta: exponent of t* in η; NaN where the sweep has one η.
        of_lam: exponent of t* in λ; NaN where it could not be told.
        points: number of points whose t* was observed.
    """

    grid: str
    network: str
    data: str
    optimizer: str
    batch_norm: bool
    kappa: float
    gstd: float
    exponent: float
    exponent_low: float
    exponent_high: float
    of_eta: float
    of_lam: float
    points: int


class PooledKappa(NamedTuple):
    """κ of a probe and of measured sweeps together, with both ends of its 95 % interval."""

    kappa: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedKappa:
    """κ of the measured sweeps that are like the one asked about.

    Attributes:
        kappa: geometric mean over sweeps.
        low: the lowest κ of a sweep, over its spread.
        high: the highest κ of a sweep, times its spread.
        spread: standard deviation of log κ, between sweeps and within them.
        sweeps: the sweeps that were used.
    """

    kappa: float
    low: float
    high: float
    spread: float
    sweeps: tuple[MeasuredKappa, ...]

    def pooled(self, kappa: float, low: float, high: float) -> PooledKappa:
        """Pool κ of a probe with these sweeps, each weighed by its precision.

        Args:
            kappa: κ of the probe.
            low: low end of its 95 % interval.
            high: high end of that interval.

        Returns:
            The pooled κ with its 95 % interval.
        """
        weights = [(2 * 1.96 / math.log(high / low)) ** 2, 1 / self.spread**2]
        center = float(np.average(np.log([kappa, self.kappa]), weights=weights))
        width = 1.96 / math.sqrt(sum(weights))
        return PooledKappa(math.exp(center), math.exp(center - width), math.exp(center + width))


@lru_cache(maxsize=1)
def library() -> tuple[MeasuredKappa, ...]:
    """Read all sweeps of the table."""
    table = pd.read_csv(Path(__file__).with_name("kappa.csv"), encoding="utf-8")
    return tuple(MeasuredKappa(**{str(name): value for name, value in row.items()}) for row in table.to_dict("records"))


def expected_kappa(optimizer: str, *, batch_norm: bool) -> ExpectedKappa:
    """Return κ of the sweeps with this optimizer, and of these with or without batch norm where there are any.

    Args:
        optimizer: its name in a grid; ``adam`` has the κ of ``adamw``.
        batch_norm: whether the network has scale-invariant weights.
    """
    family = "sgd" if optimizer == "sgd" else "adamw"
    same = [sweep for sweep in library() if sweep.optimizer == family]
    chosen = [sweep for sweep in same if sweep.batch_norm == batch_norm] or same
    return ExpectedKappa(
        kappa=_mean([s.kappa for s in chosen]),
        low=min(s.kappa / s.gstd for s in chosen),
        high=max(s.kappa * s.gstd for s in chosen),
        spread=math.sqrt(np.var(np.log([s.kappa for s in chosen])) + np.mean(np.log([s.gstd for s in chosen]) ** 2)),
        sweeps=tuple(chosen),
    )


def _mean(values: Sequence[float]) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.mean(np.log(values))))
