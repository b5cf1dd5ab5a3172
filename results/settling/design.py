"""By how much an extension should narrow the interval of a claim.

The interval of a mean or a slope over cells of one η and λ, with n seeds each, is as wide as √(τ² + σ²/n) over √C for a
mean of C cells, and over √Σ(x - mean)² for a slope on x. τ is the spread of the cells about the law, σ that of the
seeds within a cell. To its square comes ω²/n, where ω is the spread of what seeds share across cells: of their mean, or
of their slope. More seeds narrow σ and ω; more cells, and cells farther out, narrow τ and σ.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from results.analysis.segments import Floats, extra_axes, floats, group_ids
from results.analysis.selection import in_law
from results.claims.claim import Quantity
from results.settling.extensions import Cells

__all__ = ["Design", "design_of", "extended", "narrowing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Cells of the law, and how they scatter.

    Attributes:
        eta: log η of each cell (C,).
        lam: log λ of each cell (C,).
        seeds: seeds of each cell (C,).
        cell_variance: τ², variance of log κ between cells beyond that of the seeds.
        seed_variance: σ², variance of log κ between the seeds of a cell.
        shared: quantity to ω², the variance between seeds of its estimate beyond that of single points.
    """

    eta: Floats
    lam: Floats
    seeds: Floats
    cell_variance: float
    seed_variance: float
    shared: Mapping[Quantity, float] = field(default_factory=dict)


def design_of(peaks: pd.DataFrame) -> Design:
    """Read the cells of a sweep and the scatter of log κ.

    Points of one η and λ that differ in μ or a further axis count as seeds, with the mean of their group taken off.
    With one seed a cell, the scatter is shared evenly between cells and seeds: nothing tells them apart.

    Args:
        peaks: of ``find_peaks``, at constant η and λ.
    """
    law = peaks[in_law(peaks)]
    cells = group_ids(law, ["eta", "lam"])
    first = np.unique(cells, return_index=True)[1]
    seeds = np.bincount(cells).astype(np.float64) if len(law) else np.empty(0)
    y = np.log(floats(law, "kappa"))
    if len(law):
        groups = group_ids(law, ["mu", *extra_axes(law)])
        y = y - (np.bincount(groups, weights=y) / np.bincount(groups))[groups]
    means = np.bincount(cells, weights=y) / seeds if len(law) else y
    between = float(means.var(ddof=1)) if len(means) > 1 else 0.0
    freedom = len(law) - len(means)
    if freedom:
        within = float(((y - means[cells]) ** 2).sum() / freedom)
        across = max(0.0, between - within * float((1 / seeds).mean()))
    else:
        within = across = between / 2
    return Design(
        eta=np.log(floats(law, "eta")[first]),
        lam=np.log(floats(law, "lam")[first]),
        seeds=seeds,
        cell_variance=across,
        seed_variance=within,
        shared=_shared_variances(law, y - means[cells] if len(law) else y, within),
    )


def _shared_variances(law: pd.DataFrame, deviations: Floats, within: float) -> dict[Quantity, float]:
    """Return ω² of the mean and of each slope.

    Args:
        law: points of the law (n rows).
        deviations: log κ about the mean of its cell (n,).
        within: σ².
    """
    eta, lam = np.log(floats(law, "eta")), np.log(floats(law, "lam"))
    axes: dict[Quantity, Floats] = {"slope_product": eta + lam, "slope_eta": eta, "slope_lam": lam}
    axes["kappa"] = np.ones(len(law))
    members = [group_ids(law, ["seed"]) == k for k in range(law["seed"].nunique())]
    found: dict[Quantity, float] = {}
    if len(members) < 2:
        return found
    for quantity, values in axes.items():
        x = values if quantity == "kappa" else values - values.mean()
        information = np.array([float(x[own] @ x[own]) for own in members])
        if (information <= 0).any():
            continue
        estimates = np.array([x[own] @ deviations[own] for own in members]) / information
        found[quantity] = max(0.0, float(estimates.var(ddof=1)) - within * float((1 / information).mean()))
    return found


def extended(design: Design, new: Cells) -> Design:
    """Return the design with further points, of which those with λ = 0 count for nothing.

    Args:
        design: the cells of a sweep.
        new: number of new points at each η and λ.
    """
    seeds: Counter[tuple[float, float]] = Counter()
    for eta, lam, number in zip(design.eta, design.lam, design.seeds, strict=True):
        seeds[round(float(eta), 6), round(float(lam), 6)] += number
    for (eta, lam), number in new.items():
        if lam > 0:
            seeds[round(float(np.log(eta)), 6), round(float(np.log(lam)), 6)] += number
    log_eta, log_lam = (np.array([cell[i] for cell in seeds], dtype=np.float64) for i in (0, 1))
    return replace(design, eta=log_eta, lam=log_lam, seeds=np.array(list(seeds.values()), dtype=np.float64))


def narrowing(quantity: Quantity, before: Design, after: Design) -> float:
    """Return the width of an interval after an extension, as a share of its width before it.

    Args:
        quantity: the quantity of the interval. That of an accuracy narrows with the seeds alone: a further λ or η has
            an accuracy of its own.
        before: the cells of the sweep.
        after: the cells with the extension.
    """
    old, new = _variance(quantity, before), _variance(quantity, after)
    return float(np.sqrt(new / old)) if np.isfinite(old) and old > 0 else 1.0


def _variance(quantity: Quantity, design: Design) -> float:
    """Return the expected variance of an estimate; infinite where the cells cannot determine it."""
    if not len(design.seeds):
        return np.inf
    if quantity == "accuracy":
        return 1 / float(design.seeds.min())
    shared = design.shared.get(quantity, 0.0) * float((1 / design.seeds).mean())
    scatter = design.cell_variance + design.seed_variance * float((1 / design.seeds).mean())
    if quantity == "kappa":
        return scatter / len(design.seeds) + shared
    x = {"slope_product": design.eta + design.lam, "slope_eta": design.eta, "slope_lam": design.lam}[quantity]
    other = {"slope_eta": design.lam, "slope_lam": design.eta}.get(quantity)
    x = x - x.mean()
    if other is not None and np.ptp(other) > 0:
        other = other - other.mean()
        x = x - other * (x @ other) / (other @ other)
    information = float(x @ x)
    return scatter / information + shared if information > 0 else np.inf
