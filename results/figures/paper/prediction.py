"""Figures 1b, 4, S3 and S4: λ predicted as c/T from a probe at large λ, beside the tuned λ."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.analysis.budgets import SPREAD
from results.analysis.fits import geometric_mean_c
from results.figures.axes import plain
from results.figures.layout import line_key, print_figure
from results.figures.paper.means import mean_curves, replicated, stack
from results.figures.paper.panels import (
    LAM_ZERO,
    ONE_KEY,
    Look,
    draw_means,
    keys,
    log_x,
    log_y,
    look_of,
    numbers,
    panel,
)
from results.figures.paper.sources import LackingError, Tables, at_eta, one_eta, require, require_one
from results.figures.style import BLUE, DASHED, INK, MARKS, ORANGE, budget_scale, paler, styled

TUNED: dict[str, Any] = {"color": BLUE, "marker": "o"}
PREDICTED: dict[str, Any] = {"color": ORANGE, "marker": "D", "markersize": 3.6}


MEASURED = 3  # measurements up to t*: below, t* is where measuring started


@dataclass(frozen=True, slots=True)
class Probe:
    """The run that c is read off: that at the largest λ whose maximum was seen to come and to be past."""

    eta: float
    lam: float
    c: float
    """t*·λ in epochs, the geometric mean over seeds."""
    points: tuple[str, ...]


def find_probe(tables: Tables) -> Probe:
    """The probe among the points of one η: that of the tables, or of most accuracies within a budget.

    Raises:
        LackingError: no point of λ > 0 learned and was seen to be past its maximum.
    """
    require(tables.within, ["acc"], "accuracies within the budgets of the grid (analysis.budgets)")
    if (tables.sweeps["schedule"] != "constant").any():
        raise LackingError("a constant η: with a schedule a run stopped early is not a run of a smaller budget")
    require_one(tables.peaks)
    eta = one_eta(tables.within[tables.within["acc"].notna()], tables.eta)
    peaks = at_eta(tables.peaks, eta)
    past = peaks[peaks["in_law"].astype(bool) & ~peaks["censored"].astype(bool)]
    past = past[_measured_until(tables.rows, past) >= MEASURED]
    if past.empty:
        raise LackingError(
            f"a point of η = {eta:g} and large λ that was trained past its maximum, to read c = t*·λ from"
        )
    probe = past[past["lam"] == past["lam"].max()]
    c = geometric_mean_c(probe)
    return Probe(eta, float(probe["lam"].iloc[0]), c, tuple(dict.fromkeys(probe["point"])))


def _measured_until(rows: pd.DataFrame, peaks: pd.DataFrame) -> np.ndarray:
    """Measurements of each point up to its t*."""
    if peaks.empty:
        return np.zeros(0)
    star = peaks.drop_duplicates("point").set_index("point")["t_star"]
    early = rows[rows["point"].isin(star.index)]
    early = early[early["epoch"] <= early["point"].astype(str).map(star)].drop_duplicates(["point", "step"])
    count = early["point"].astype(str).value_counts()
    return peaks["point"].map(count).fillna(0).to_numpy(dtype=float)


def tuned_and_predicted(tables: Tables, probe: Probe) -> pd.DataFrame:
    """Tuned and predicted λ of each budget T (epochs), from accuracies averaged over seeds.

    Returns:
        One row a budget: ``budget_at``, ``lam_tuned``, ``low`` and ``high`` (all λ within 0.1 % of its accuracy),
        ``edge`` (the tuned λ is the smallest or largest of the grid), ``acc_tuned``, ``acc_zero`` (λ = 0), ``lam_pred``
        = c/T, ``acc_pred`` (interpolated in log λ between the λ of the grid, NaN outside).
    """
    records = []
    means = accuracies(tables, probe.eta)
    means = means[means["seed"].isna()]
    for budget, cell in means.groupby("budget_at", sort=True):
        rows, zero = cell[cell["lam"] > 0].sort_values("lam"), cell.loc[cell["lam"] == 0, "y"]
        if rows.empty:
            continue
        lam, acc = numbers(rows, "lam"), numbers(rows, "y")
        best, near = int(acc.argmax()), lam[acc >= acc.max() - SPREAD]
        predicted = probe.c / float(budget)  # type: ignore[arg-type]
        acc_pred = np.interp(np.log(predicted), np.log(lam), acc, left=np.nan, right=np.nan)
        record = {"budget_at": budget, "lam_tuned": lam[best], "low": near[0], "high": near[-1], "acc_tuned": acc[best]}
        record |= {"edge": best in {0, len(lam) - 1}, "lam_pred": predicted, "acc_pred": acc_pred}
        records.append(record | {"acc_zero": zero.max() if len(zero) else np.nan})
    return pd.DataFrame(records)


def accuracies(tables: Tables, eta: float) -> pd.DataFrame:
    """Maximum accuracy within each budget against λ: means over seeds, and each seed."""
    chosen = at_eta(tables.within, eta).drop_duplicates(["point", "budget_at"])
    marks = chosen.assign(panel="within", x=chosen["lam"], y=chosen["acc"], mark="observed")
    return replicated(marks, ["eta", "lam", "budget_at"])


# ----------------------------------------------------------------------------------------------- data


def accuracy_of_prediction(tables: Tables) -> pd.DataFrame:
    """Figure 1b: test accuracy at the tuned and at the predicted λ, against the budget T (epochs).

    Returns:
        Panel ``accuracy``, series ``tuned``, ``predicted`` and ``zero`` (λ = 0); ``x`` is T.
    """
    probe = find_probe(tables)
    table = tuned_and_predicted(tables, probe)
    shape: dict[str, Any] = {"panel": "accuracy", "eta": probe.eta, "mark": "observed"}
    parts = [
        _series("tuned", table["lam_tuned"], table["budget_at"], table["acc_tuned"]),
        _series("predicted", table["lam_pred"], table["budget_at"], table["acc_pred"]),
        _series("zero", 0.0, table["budget_at"], table["acc_zero"]),
    ]
    if not bool(table["acc_pred"].notna().any()):
        raise LackingError(f"λ near c/T = {_range(table['lam_pred'])}: all lie outside the grid")
    return stack([part[part["y"].notna()].assign(**shape) for part in parts])


def probe_and_tuned(tables: Tables) -> pd.DataFrame:
    """Figure 4: a, accuracy of the probe against t·λ (epochs); b, tuned and predicted λ against the budget T (epochs).

    Returns:
        Panels ``probe`` (series ``curve``, of each seed where there are several, and ``c``, whose ``x`` is c) and
        ``lam`` (series ``tuned``, with ``low`` and ``high``, marked ``edge`` where the grid ends, and ``predicted``).
    """
    probe = find_probe(tables)
    rows = tables.rows[tables.rows["point"].isin(probe.points)].drop_duplicates(["point", "step"])
    rows = rows.assign(product=rows["epoch"] * probe.lam)
    curve = mean_curves(rows, ["eta", "lam"], "test_acc", x="product")
    each = mean_curves(rows, ["eta", "lam", "seed"], "test_acc", x="product") if len(probe.points) > 1 else curve[:0]
    curves = pd.concat([curve, each]).assign(panel="probe", series="curve", mark="observed")
    c = pd.DataFrame({"panel": "probe", "series": "c", "lam": probe.lam, "x": [probe.c], "mark": "prediction"})
    table = tuned_and_predicted(tables, probe)
    mark = np.where(table["edge"].astype(bool), "edge", "observed")
    tuned = _series("tuned", table["lam_tuned"], table["budget_at"], table["lam_tuned"], mark)
    tuned = tuned.assign(low=table["low"], high=table["high"])
    predicted = _series("predicted", table["lam_pred"], table["budget_at"], table["lam_pred"], "prediction")
    lams = pd.concat([tuned, predicted]).assign(panel="lam")
    return stack([curves[curves["x"] > 0], c.assign(eta=probe.eta), lams.assign(eta=probe.eta)])


def accuracy_and_prediction(tables: Tables, factor: float = 1.0) -> pd.DataFrame:
    """Figures S3 and S4: maximum test accuracy within T against λ, and λ_pred = factor·c/T.

    Args:
        tables: of one or more sweeps.
        factor: on c; 2 in figure S4.

    Returns:
        Panel ``within``; ``x`` is λ. Marked ``prediction``: λ_pred of each T, without ``y``.
    """
    probe = find_probe(tables)
    means = accuracies(tables, probe.eta)
    budgets = means["budget_at"].unique()
    predicted = pd.DataFrame(
        {"panel": "within", "eta": probe.eta, "budget_at": budgets, "x": factor * probe.c / budgets}
    )
    return stack([means[means["lam"] > 0], predicted.assign(lam=predicted["x"], mark="prediction")])


def _series(name: str, lam: Any, x: pd.Series, y: pd.Series, mark: Any = "observed") -> pd.DataFrame:
    return pd.DataFrame({"series": name, "lam": lam, "x": x, "y": y, "budget_at": x, "mark": mark})


def _range(values: pd.Series) -> str:
    return f"{values.min():.2g} to {values.max():.2g}"


# -------------------------------------------------------------------------------------------- drawing


def draw_accuracy_of_prediction(data: pd.DataFrame) -> Figure:
    """Figure 1b: one panel."""
    rows = panel(data, "accuracy")
    with styled(8.0):
        figure, [[ax]] = print_figure([["Test accuracy within T: predicted and tuned λ"]], room=ONE_KEY)
        look: dict[str, Look] = {"tuned": TUNED, "predicted": PREDICTED, "zero": LAM_ZERO}
        for name, own in look.items():
            part = rows[rows["series"] == name]
            ax.plot(part["x"], part["y"], **own)
        log_x(ax, numbers(rows, "x"), "budget T (epochs)")
        ax.set_ylabel("test accuracy")
        names = {"tuned": "tuned λ", "predicted": "predicted λ = c/T", "zero": "λ = 0"}
        line_key(ax, {names[s]: look[s] for s in names if (rows["series"] == s).any()})
    return figure


def draw_probe_and_tuned(data: pd.DataFrame) -> Figure:
    """Figure 4: two panels."""
    with styled(8.0):
        figure, [[left, right]] = print_figure(
            [["a  Accuracy of the probe", "b  Tuned and predicted λ"]], room=ONE_KEY + 0.12
        )
        _draw_probe(left, panel(data, "probe"))
        _draw_tuned(right, panel(data, "lam"))
    return figure


def _draw_probe(ax: Axes, rows: pd.DataFrame) -> None:
    curve, c = rows[rows["series"] == "curve"], rows[rows["series"] == "c"].iloc[0]
    for _, part in curve[curve["seed"].notna()].groupby("seed"):
        ax.plot(part["x"], part["y"], color=paler(BLUE, 0.6), linewidth=0.7)
    mean = curve[curve["seed"].isna()]
    ax.plot(mean["x"], mean["y"], color=BLUE)
    ax.axvline(c["x"], color=ORANGE, linestyle=DASHED, linewidth=1.2)
    log_x(ax, numbers(rows, "x"), "t·λ (epochs)")
    ax.set_ylabel("test accuracy")
    lines = {f"probe, λ = {plain(c['lam'])}": {"color": BLUE}}
    line_key(ax, lines | {f"c = t*·λ = {c['x']:.2g}": {"color": ORANGE, "linestyle": DASHED}})


def _draw_tuned(ax: Axes, rows: pd.DataFrame) -> None:
    tuned, predicted = rows[rows["series"] == "tuned"], rows[rows["series"] == "predicted"]
    bars = [tuned["y"] - tuned["low"], tuned["high"] - tuned["y"]]
    ax.errorbar(tuned["x"], tuned["y"], bars, color=BLUE, fmt="none", capsize=2.5, elinewidth=1.0)
    for mark in ("observed", "edge"):
        part = tuned[tuned["mark"] == mark]
        ax.plot(part["x"], part["y"], color=BLUE, linestyle="none", zorder=3, **MARKS[mark])
    ax.plot(predicted["x"], predicted["y"], **PREDICTED)
    log_x(ax, numbers(rows, "x"), "budget T (epochs)")
    log_y(ax, np.concatenate([numbers(rows, name) for name in ("y", "low", "high")]), "λ")
    lines: dict[str, Any] = {"predicted, c/T": PREDICTED, "tuned; bars: within 0.1 %": TUNED | {"linestyle": "none"}}
    if (tuned["mark"] == "edge").any():
        lines["tuned, at the end of the grid"] = {"color": BLUE, "linestyle": "none"} | MARKS["edge"]
    line_key(ax, lines)


def draw_accuracy_and_prediction(data: pd.DataFrame) -> Figure:
    """Figures S3 and S4: one panel."""
    rows = panel(data, "within")
    budgets = budget_scale(numbers(rows, "budget_at"))
    with styled(8.0):
        figure, [[ax]] = print_figure([[f"Maximum test accuracy within T epochs, η = {plain(rows['eta'].iloc[0])}"]])
        predicted = rows["mark"] == "prediction"
        for x, budget in zip(rows["x"][predicted], rows["budget_at"][predicted], strict=True):
            ax.axvline(x, color=budgets.color(budget), linestyle=DASHED, linewidth=1.0)
        draw_means(ax, rows[~predicted], "budget_at", look_of(budgets))
        log_x(ax, numbers(rows, "x"), "λ")
        ax.set_ylabel("test accuracy")
        keys(ax, "T", budgets, {"predicted λ": {"color": INK, "linestyle": DASHED, "linewidth": 1.0}})
    return figure
