"""The best setting of a sweep: what a practitioner came for, beside λ = 0, with its spread and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.segments import Floats, extra_axes, floats
from search_spaces.outcome import TRAINED
from search_spaces.sections.metric import TEST_ACCURACY, Metric

# Settings of fewer seeds than this share of the most do not count: one lucky seed beats the mean of three.
MIN_SEED_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The metric over the seeds of one setting.

    Attributes:
        value: the mean.
        seeds: number of seeds.
        spread: standard deviation over the seeds; None of a single one.
        metric: the metric.
    """

    value: float
    seeds: int
    spread: float | None
    metric: Metric = TEST_ACCURACY

    def __str__(self) -> str:
        """Return the mean with its spread, as 0.9512 ± 0.0021 (3 seeds)."""
        spread = "" if self.spread is None else f" ± {self.metric.shown(self.spread)}"
        return f"{self.metric.shown(self.value)}{spread} ({self.seeds} seed{'s' * (self.seeds != 1)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """The setting of the best test accuracy, or other metric, mean over seeds.

    Attributes:
        setting: axis name to value; the seed apart.
        accuracy: the best of the metric in its runs.
        last: the metric of their last measurements; None if it is not known.
        zero: the best of the metric at λ = 0, of the best η there; None without such points.
        zero_eta: that η; None likewise.
        equals: number of other settings whose mean is within one standard error of it.
        next_step: what to do next, in one sentence.
    """

    setting: Mapping[str, object]
    accuracy: Mean
    last: Mean | None
    zero: Mean | None
    zero_eta: float | None
    equals: int
    next_step: str

    def to_json(self) -> dict[str, object]:
        """Return a dict for ``json.dumps``."""
        means = {"accuracy": self.accuracy, "last": self.last, "zero": self.zero}
        records = {name: None if m is None else _record(m) for name, m in means.items()}
        return {
            "headline": self.headline(),
            "setting": dict(self.setting),
            **records,
            "zero_eta": self.zero_eta,
            "equals": self.equals,
            "next_step": self.next_step,
        }

    def headline(self) -> str:
        """Return the setting, its accuracy, and what stands beside it, in one line."""
        return "; ".join([self.summary(), *self.comparisons()])

    def summary(self) -> str:
        """Return the setting and its accuracy, or its other metric by name."""
        setting = ", ".join(f"{_LETTERS.get(name, name)} = {_shown(value)}" for name, value in self.setting.items())
        metric = self.accuracy.metric
        return f"{setting}: {'' if metric.is_accuracy else f'{metric.title} '}{self.accuracy}"

    def comparisons(self) -> list[str]:
        """Return the metric at the end of training and at λ = 0, in words, where they say something."""
        parts = []
        shown = self.accuracy.metric.shown
        if self.last is not None and shown(self.last.value) != shown(self.accuracy.value):
            parts.append(f"{shown(self.last.value)} at the end of training")
        if self.zero is not None and self.setting.get("lam") != 0:
            at = f" at η = {self.zero_eta:.3g}" if self.zero_eta != self.setting.get("eta") else ""
            parts.append(f"λ = 0 reaches {shown(self.zero.value)}{at}")
        return parts


_LETTERS = {"eta": "η", "lam": "λ", "mu": "μ"}


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _record(mean: Mean) -> dict[str, object]:
    return {"value": mean.value, "seeds": mean.seeds, "spread": mean.spread}


def find_winner(points: pd.DataFrame, metric: Metric = TEST_ACCURACY, *, scales: bool = False) -> Winner | None:
    """Find the setting of the best mean of the metric among the points that trained as meant.

    Args:
        points: one row a point, with its axes, ``outcome``, ``best_test_acc`` and, if known, ``last_test_acc``, or
            those of another metric.
        metric: the quantity by which points are judged.
        scales: whether t* ∝ 1/(ηλ) was confirmed, so that the best λ of another budget is known.

    Returns:
        None without any such point.
    """
    trained = points[points["outcome"].isin(TRAINED) & np.isfinite(floats(points, metric.best))]
    if trained.empty:
        return None
    axes = [name for name in ("eta", "lam", "mu", *extra_axes(trained)) if name in trained]
    settings = trained.groupby(axes, dropna=False, sort=True)[metric.best].agg(["mean", "size"])
    counted = settings[settings["size"] >= MIN_SEED_SHARE * settings["size"].max()]
    scores = metric.score(counted["mean"])
    best = scores.idxmax()
    values = dict(zip(axes, best, strict=True))
    own = trained.set_index(axes).loc[[best]]
    accuracy = _mean(floats(own, metric.best), metric)
    last = _mean(floats(own, metric.last), metric) if metric.last in own else None
    error = (accuracy.spread or 0.0) / np.sqrt(accuracy.seeds)
    varied = {name: value for name, value in values.items() if name in {"eta", "lam"} or trained[name].nunique() > 1}
    zero, zero_eta = _best_at_zero(trained, axes, metric) or (None, None)
    return Winner(
        setting={name: value.item() if isinstance(value, np.generic) else value for name, value in varied.items()},
        accuracy=accuracy,
        last=last,
        zero=zero,
        zero_eta=zero_eta,
        equals=int((scores >= metric.score(accuracy.value) - error).sum()) - 1,
        next_step=_next_step(trained, values, zero, accuracy, scales=scales),
    )


def _mean(values: Floats, metric: Metric) -> Mean:
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    return Mean(value=float(values.mean()), seeds=len(values), spread=spread, metric=metric)


def _best_at_zero(trained: pd.DataFrame, axes: list[str], metric: Metric) -> tuple[Mean, float] | None:
    """Return the best mean of the metric at λ = 0 over the other axes, and its η; None without λ = 0."""
    zero = trained[floats(trained, "lam") == 0]
    if zero.empty:
        return None
    groups = zero.groupby(axes, dropna=False)
    means = [(_mean(floats(group, metric.best), metric), float(floats(group, "eta")[0])) for _, group in groups]
    return max(means, key=lambda found: metric.score(found[0].value))


def _next_step(
    trained: pd.DataFrame, setting: Mapping[str, object], zero: Mean | None, best: Mean, *, scales: bool
) -> str:
    """Say whether the setting lies at an edge of the grid, and what to try next.

    Args:
        trained: points that trained as meant.
        setting: the best setting.
        zero: the metric at λ = 0; None without such points.
        best: the metric of the best setting.
        scales: whether t* ∝ 1/(ηλ) was confirmed.
    """
    lam, lams = float(str(setting["lam"])), np.unique(floats(trained, "lam"))
    positive = lams[lams > 0]
    if lam == 0:
        smaller = f" Smaller λ than {positive[0]:.3g} may still do." if len(positive) else ""
        return f"Weight decay gains nothing here: λ = 0 is best.{smaller}"
    if zero is not None and abs(best.value - zero.value) < (best.spread or 0.0) + (zero.spread or 0.0):
        return "The gain over λ = 0 is within the spread of the seeds: train more seeds before you rely on it."
    edges = []
    if len(positive) > 1 and lam == positive[-1]:
        edges.append(f"the best λ is the largest of the grid: add λ above {lam:.3g}")
    if len(positive) > 1 and lam == positive[0]:
        edges.append(f"the best λ is the smallest above 0: add λ below {lam:.3g}")
    etas = np.unique(floats(trained, "eta"))
    if len(etas) > 1 and setting["eta"] == etas[-1]:
        edges.append(f"the best η is the largest that trained: add η above {etas[-1]:.3g}")
    if len(etas) > 1 and setting["eta"] == etas[0]:
        edges.append(f"the best η is the smallest: add η below {etas[0]:.3g}")
    if edges:
        text = "; ".join(edges)
        return f"{text[0].upper()}{text[1:]}."
    one_budget = "budget" in trained and trained["budget"].nunique() == 1
    rule = " For another budget T, scale λ by 1/T." if scales and one_budget else ""
    return f"The best setting lies inside the grid.{rule}"
