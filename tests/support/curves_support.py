"""Learning curves of known truth: every point peaks at decay time κ, with the noise of real curves on top."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

KAPPA = 0.5
TOP = 0.9


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A synthetic sweep.

    Attributes:
        exponent: of ηλ in t*; the law says -1.
        scatter: standard deviation of log κ from point to point.
        depth: accuracy lost where ln s is 1 away from ln κ; 0.002 is a shallow maximum.
        flicker: standard deviation of an accuracy between measurements.
        test_samples: size n of the test set: accuracies are multiples of 1/n, with binomial noise along a run.
        bump: height of an earlier maximum at a fixed epoch; 0 for none.
        length: decay time at the end of a run, over κ; below 1 nothing has peaked.
    """

    exponent: float = -1.0
    scatter: float = 0.1
    depth: float = 0.02
    flicker: float = 0.0
    test_samples: int = 0
    bump: float = 0.0
    length: float = 4.0

    def sweep(self, seed, etas=(0.3, 1.0, 3.0), lams=(1e-3, 3e-3, 1e-2, 3e-2), seeds=(0, 1)):
        """Return (rows, points) of one draw."""
        rng = np.random.default_rng(seed)
        rows, points = [], []
        for eta in etas:
            for lam in lams:
                for s in seeds:
                    rows.append(self._curve(rng, eta, lam, s))
                    points.append(
                        {"point": f"{eta}-{lam}-{s}", "eta": eta, "lam": lam, "mu": 0.0, "seed": s}
                        | {"outcome": "completed", "budget": rows[-1]["epoch"].iloc[-1]}
                    )
        return pd.concat(rows, ignore_index=True), pd.DataFrame(points)

    def _curve(self, rng, eta, lam, seed):
        peak = KAPPA * np.exp(self.scatter * rng.normal()) * (eta * lam) ** self.exponent
        last = max(2.0, self.length * peak)
        step = np.unique(np.round(10 ** np.arange(0, np.log10(last), 1 / 60)).astype(np.int64))
        off = np.log(step / peak)
        acc = TOP - self.depth * np.minimum(off**2, 9.0)
        acc = acc + self.bump * np.exp(-(np.log(step / (0.1 * peak)) ** 2) / 0.02)
        acc = acc + self.flicker * rng.normal(size=len(step))
        if self.test_samples:
            error = np.sqrt(TOP * (1 - TOP) / self.test_samples)
            drift = error * 0.3 * np.interp(np.log(step), *_walk(rng, step))  # other images as the weights move on
            acc = np.round((acc + error * rng.normal() + drift) * self.test_samples) / self.test_samples
        loss = 0.3 + 0.05 * np.minimum(off**2, 9.0) + 0.2 * self.flicker * rng.normal(size=len(step))
        return pd.DataFrame(
            {
                "point": f"{eta}-{lam}-{seed}",
                "step": step,
                "epoch": step.astype(float),
                "decay_time": step * eta * lam,
                "test_acc": np.clip(acc, 0, 1),
                "train_acc": np.clip(acc + 0.05, 0, 1),
                "train_loss": loss,
                "test_loss": loss,
                "seed": seed,
                "eta": eta,
                "lam": lam,
                "mu": 0.0,
            }
        )


def _walk(rng, step):
    """A smooth random function of log steps, with a new value every third of a decade."""
    at = np.arange(0, np.log(step[-1]) + 1, np.log(10) / 3)
    return at, rng.normal(size=len(at))


SCENARIOS = {
    "clean": Curves(),
    "plateau noise": Curves(depth=0.005, flicker=0.002),
    "binomial": Curves(test_samples=1285),
    "flicker": Curves(flicker=0.01),
    "shallow": Curves(depth=0.002, flicker=0.0005),
    "two maxima": Curves(bump=0.003, depth=0.01),
    "none": Curves(length=0.5),
}
