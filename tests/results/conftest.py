"""Synthetic sweeps whose t*, slope and accuracy are known: accuracy rises, peaks at a known step, and falls."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

# accuracy(u) = BASE + LIFT * exp(-(log(u)/w)²/2), u = step over the step of the peak, w = RISE before it and 1 after:
# like real curves it is slow to reach its best and quick to decay.
BASE, LIFT, RISE = 0.1, 0.85, 4.0


def bump(step: np.ndarray, peak_step: float, lift: float = LIFT) -> np.ndarray:
    log_u = np.log(np.maximum(step, 1e-9) / peak_step)
    return BASE + lift * np.exp(-((log_u / np.where(log_u < 0, RISE, 1.0)) ** 2) / 2)


def star_over_peak(tolerance: float = 0.005, lift: float = LIFT) -> float:
    return float(np.exp(-RISE * np.sqrt(2 * np.log(lift / (lift - tolerance)))))


def point_rows(
    point: str,
    test_acc: Sequence[float],
    step: Sequence[int] | None = None,
    eta: float = 0.1,
    lam: float = 0.01,
    mu: float = 0.0,
    seed: int = 0,
    budget: float = 100.0,
    train_acc: Sequence[float] | float = 1.0,
    steps_per_epoch: int = 1,
    **axes: object,
) -> pd.DataFrame:
    steps = np.arange(1, len(test_acc) + 1) if step is None else np.asarray(step)
    return pd.DataFrame(
        {
            "sweep": "synthetic",
            "point": point,
            "pack": "pack",
            "attempt": 0,
            "seed": seed,
            "eta": eta,
            "lam": lam,
            "mu": mu,
            "budget": budget,
            "step": steps.astype(np.int64),
            "epoch": steps / steps_per_epoch,
            "decay_time": steps * eta * lam / (1 - mu),
            "test_acc": np.asarray(test_acc, dtype=np.float32),
            "train_acc": np.broadcast_to(np.asarray(train_acc, dtype=np.float32), len(steps)),
            **axes,
        }
    )


def points_of(rows: pd.DataFrame, outcome: str = "completed") -> pd.DataFrame:
    measured = ["step", "epoch", "decay_time", "test_acc", "train_acc"]
    points = rows.drop(columns=measured).drop_duplicates("point").reset_index(drop=True)
    return points.assign(outcome=outcome, steps=rows.groupby("point", sort=False)["step"].max().to_numpy(), why="")


def make_sweep(
    etas: Sequence[float] = (0.05, 0.15),
    lams: Sequence[float] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    kappa: float = 0.5,
    slope: float = -1.0,
    noise: float = 0.0,
    seeds: Sequence[int] = (0,),
    mu: float = 0.0,
    decay_time: float = 2.0,
    steps: int | None = None,
    steps_per_epoch: int = 10,
    measurements: int = 300,
    lift: Callable[[float, float], float] = lambda eta, lam: LIFT,
    peak_step: Callable[[float, float], float] | None = None,
    train_acc: float = 1.0,
    rng: int = 0,
    **axes: object,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and points of a grid; budget 1/(eta*lam) of `decay_time`, or the same `steps` for every point."""
    random = np.random.default_rng(rng)
    tables = []
    for eta in etas:
        for lam in lams:
            for seed in seeds:
                rate = eta * lam / (1 - mu)
                peak = peak_step(eta, lam) if peak_step else kappa * rate**slope
                peak *= np.exp(noise * random.standard_normal())
                end = steps or int(np.ceil(decay_time / rate))
                at = np.unique(np.geomspace(1, end, measurements).astype(np.int64))
                name = re.sub("[^0-9a-z]", "x", f"{axes}-{mu}-{eta}-{lam}-{seed}")  # as ids are
                tables.append(
                    point_rows(
                        name,
                        bump(at, peak, lift(eta, lam)),
                        at,
                        eta=eta,
                        lam=lam,
                        mu=mu,
                        seed=seed,
                        budget=end / steps_per_epoch,
                        train_acc=train_acc,
                        steps_per_epoch=steps_per_epoch,
                        **axes,
                    )
                )
    rows = pd.concat(tables, ignore_index=True)
    return rows, points_of(rows)


def peak_table(
    etas: Sequence[float], lams: Sequence[float], seeds: Sequence[int] = (0,), **columns: object
) -> pd.DataFrame:
    """Peaks of a full grid as `find_peaks` gives them; a column is a value, or a function of the table."""
    eta, lam, seed = (a.ravel() for a in np.meshgrid(etas, lams, seeds, indexing="ij"))
    base = {"eta": eta, "lam": lam, "seed": seed, "mu": 0.0, "budget": 100.0, "outcome": "completed", "censored": False}
    table = pd.DataFrame({"point": [f"p{i}" for i in range(len(eta))], **base})
    defaults = {"kappa": 0.5, "best_test_acc": 0.9, "best_train_acc": 1.0, "last_decay_time": 2.0, "last_epoch": 1e4}
    table = table.assign(**(defaults | {k: v for k, v in columns.items() if k in defaults}))
    table = table.assign(t_star_step=table["kappa"] / (table["eta"] * table["lam"].clip(lower=1e-9)))
    table = table.assign(t_star=table["t_star_step"], t_train1=np.nan, acc_train1=np.nan)
    return table.assign(**{k: v for k, v in columns.items() if k not in defaults})


@pytest.fixture(name="peak_table", scope="session")
def _peak_table() -> Callable[..., pd.DataFrame]:
    return peak_table


@pytest.fixture(name="make_sweep", scope="session")
def _make_sweep() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    return make_sweep


@pytest.fixture(name="point_rows", scope="session")
def _point_rows() -> Callable[..., pd.DataFrame]:
    return point_rows


@pytest.fixture(name="points_of", scope="session")
def _points_of() -> Callable[..., pd.DataFrame]:
    return points_of


@pytest.fixture(name="star_over_peak", scope="session")
def _star_over_peak() -> Callable[..., float]:
    return star_over_peak
