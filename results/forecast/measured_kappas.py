"""κ of sweeps that were measured: the first guess of a λ, without any probe.

``results/forecast/kappa.csv`` holds a row a sweep; ``benchmarks/kappa_library.py`` writes it from sweep directories.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import pandas as pd

__all__ = ["Expected", "Measured", "expected", "library"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one sweep says of κ.

    Attributes:
        grid: its file.
        network, data, optimizer: in words.
        batch_norm: whether the network has it.
        kappa: geometric mean of the decay time at t*.
        gstd: geometric standard deviation of that.
        exponent, exponent_low, exponent_high: of t* in ηλ/(1-μ), with its 95 % interval; NaN where not to be fitted.
        of_eta, of_lam: exponents of t* in η and in λ; NaN where the sweep has one η.
        points: whose t* was observed.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the sweeps like the one asked about say.

    Attributes:
        kappa: geometric mean over sweeps.
        low: the lowest κ of a sweep, over its spread.
        high: the highest, times its spread.
        spread: standard deviation of log κ, between sweeps and within.
        sweeps: those that were used.
    """

    kappa: float
    low: float
    high: float
    spread: float
    sweeps: tuple[Measured, ...]

    def pooled(self, kappa: float, low: float, high: float) -> tuple[float, float, float]:
        """κ of a probe with its 95 % interval, and these sweeps, each weighed by its precision: κ and its interval."""
        weights = [(2 * 1.96 / math.log(high / low)) ** 2, 1 / self.spread**2]
        centre = float(np.average(np.log([kappa, self.kappa]), weights=weights))
        width = 1.96 / math.sqrt(sum(weights))
        return math.exp(centre), math.exp(centre - width), math.exp(centre + width)


@lru_cache(maxsize=1)
def library() -> tuple[Measured, ...]:
    """All sweeps of the table."""
    with resources.files("results.forecast").joinpath("kappa.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    return tuple(Measured(**{str(name): value for name, value in row.items()}) for row in table.to_dict("records"))


def expected(optimizer: str, *, batch_norm: bool) -> Expected:
    """κ of the sweeps with this optimizer, and of these with or without batch norm where there are any.

    Args:
        optimizer: its name in a grid; ``adam`` has that of ``adamw``.
        batch_norm: whether the network has scale-invariant weights.
    """
    family = "sgd" if optimizer == "sgd" else "adamw"
    same = [sweep for sweep in library() if sweep.optimizer == family]
    chosen = [sweep for sweep in same if sweep.batch_norm == batch_norm] or same
    return Expected(
        kappa=_mean([s.kappa for s in chosen]),
        low=min(s.kappa / s.gstd for s in chosen),
        high=max(s.kappa * s.gstd for s in chosen),
        spread=math.sqrt(np.var(np.log([s.kappa for s in chosen])) + np.mean(np.log([s.gstd for s in chosen]) ** 2)),
        sweeps=tuple(chosen),
    )


def _mean(values: Sequence[float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(values))))
