"""Numbers read off the tables of figures, each beside a phrase that says where it was read."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from results.figures.axes import tick_label
from results.figures.paper.decay import PLAIN_SGD_KAPPA
from results.gallery.exhibit import Reading

_NOTHING = Reading(np.nan, "")


def best_with_fixed_budget(data: pd.DataFrame) -> Reading:
    """Return the best final accuracy with a fixed T (epochs), and its λ."""
    part = _seed_means(data, "final")
    part = part[(part["mark"] == "observed") & part["series"].str.endswith("epochs")]
    if part.empty:
        return _NOTHING
    best = part.iloc[int(part["y"].to_numpy().argmax())]
    return Reading(float(best["y"]), f"at λ = {tick_label(best['x'])}, {best['series']}")


def largest_prediction_gap(data: pd.DataFrame) -> Reading:
    """Return the largest accuracy that the predicted λ loses against the tuned λ."""
    part = _seed_means(data, "accuracy")
    table = part.pivot_table(index="x", columns="series", values="y")
    if not {"tuned", "predicted"} <= set(table):
        return _NOTHING
    gap = (table["tuned"] - table["predicted"]).dropna()
    return _NOTHING if gap.empty else _largest_over_budgets(gap)


def largest_prediction_factor(data: pd.DataFrame) -> Reading:
    """Return the largest factor between predicted and tuned λ; predictions beyond the end of the grid are left out."""
    part = data[data["panel"] == "lam"]
    table = part.pivot_table(index="x", columns="series", values="y")
    if not {"tuned", "predicted"} <= set(table):
        return _NOTHING
    table = table.dropna(subset=["tuned", "predicted"])
    at_edge = table.index.isin(part.loc[part["mark"] == "edge", "x"])
    at_low_end = table["tuned"] <= np.sqrt(part["y"].min() * part["y"].max())
    outside = at_edge & ((table["predicted"] < table["tuned"]) == at_low_end)
    ratio = (table["tuned"] / table["predicted"])[~outside]
    if ratio.empty:
        return Reading(np.nan, "at every budget λ_pred and the tuned λ are beyond the end of the grid")
    return _largest_over_budgets(ratio.where(ratio > 1, 1 / ratio))


def probe_constant(data: pd.DataFrame) -> Reading:
    """Return c = t*·λ of the probe, in epochs."""
    row = data[(data["panel"] == "probe") & (data["series"] == "c")].iloc[0]
    return Reading(float(row["x"]), f"probe at λ = {tick_label(row['lam'])}")


def decades_of_eta_lam(data: pd.DataFrame) -> Reading:
    """Return how many decades of ηλ the points with a t* span."""
    part = _seed_means(data, "t_star")
    product = (part["eta"] * part["lam"])[part["lam"] > 0].to_numpy(dtype=float)
    return Reading(float(np.log10(product.max() / product.min())), "") if len(product) else _NOTHING


def lowest_loss(series: str) -> Callable[[pd.DataFrame], Reading]:
    """Return a function that reads λ·t at the smallest training loss of a series."""

    def read(data: pd.DataFrame) -> Reading:
        part = _seed_means(data, "loss")
        part = part[part["series"] == series]
        lowest = part.iloc[int(part["y"].to_numpy().argmin())]
        remark = f"a loss of {tick_label(lowest['y'])} at t = {tick_label(lowest['x'])}"
        return Reading(float(lowest["x"] * lowest["lam"]), remark)

    return read


def timescale_range(data: pd.DataFrame) -> Reading:
    """Return the longest timescale of a tuned λ over the shortest, in epochs: τ = T/s, with s the run's decay time."""
    lams = data[data["panel"] == "lam"].pivot_table(index=["eta", "x"], columns="series", values="y")
    epochs = lams.index.get_level_values("x").to_numpy(dtype=float)
    tau = epochs * (lams["share"] / lams["tuned"]).to_numpy() / PLAIN_SGD_KAPPA
    remark = f"{tau.min():.3g} to {tau.max():.3g} epochs, in runs of {epochs.min():g} to {epochs.max():g}"
    return Reading(float(tau.max() / tau.min()), remark)


def largest_loss_by_rule(rule: str) -> Callable[[pd.DataFrame], Reading]:
    """Return a function that reads the largest accuracy that the λ of a rule loses against the tuned λ.

    Args:
        rule: ``share`` or ``epochs``, as in ``results.figures.paper.timescale``.
    """

    def read(data: pd.DataFrame) -> Reading:
        part = data[data["panel"] == "accuracy"]
        table = part.pivot_table(index=["eta", "x"], columns="series", values="y")
        if rule not in table:
            return _NOTHING
        gap = (table["tuned"] - table[rule]).dropna()
        eta, epochs = gap.index[int(gap.to_numpy().argmax())]
        return Reading(
            float(gap.max()), f"at T = {tick_label(epochs)} epochs, η = {tick_label(eta)}, of {len(gap)} pairs"
        )

    return read


def _seed_means(data: pd.DataFrame, panel: str) -> pd.DataFrame:
    """Return the rows of a panel that are means over seeds."""
    part = data[(data["panel"] == panel) & data["y"].notna()]
    return part[part["seed"].isna()] if "seed" in part else part


def _largest_over_budgets(by_budget: pd.Series) -> Reading:
    """Return the largest of values indexed by budget T (epochs), and the budget at which it occurs."""
    place = int(by_budget.to_numpy().argmax())
    remark = f"at T = {tick_label(by_budget.index[place])} epochs, of {len(by_budget)} budgets"
    return Reading(float(by_budget.iloc[place]), remark)
