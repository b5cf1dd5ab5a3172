"""Figures 1b, 4, S3 and S4: λ predicted as c/T from a probe at large λ, beside the tuned λ."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.analysis.budgets import TUNED_MARGIN
from results.analysis.fits import geometric_mean_c
from results.figures.axes import tick_label
from results.figures.columns import numeric_column
from results.figures.layout import draw_line_key, new_print_figure
from results.figures.paper.means import mean_curves, means_and_seeds, stack_panels
from results.figures.paper.panels import (
    LAM_ZERO_STYLE,
    LINE_KEY_MARGIN,
    LineStyle,
    draw_keys,
    draw_means,
    log_x,
    log_y,
    panel_rows,
    styles_from,
)
from results.figures.paper.sources import (
    RequirementError,
    Tables,
    choose_eta,
    require_columns,
    require_one_setting,
    rows_at_eta,
)
from results.figures.style import BLUE, DASHED, INK, MARK_STYLES, ORANGE, budget_scale, lighten, styled

TUNED_STYLE: dict[str, Any] = {"color": BLUE, "marker": "o"}
PREDICTED_STYLE: dict[str, Any] = {"color": ORANGE, "marker": "D", "markersize": 3.6}


MIN_MEASUREMENTS = 3  # up to t*; with fewer, t* is only where measuring started


@dataclass(frozen=True, slots=True)
class Probe:
    """The run that c is read from: that of the largest λ whose maximum was seen to rise and to pass.

    Attributes:
        eta: η of the run.
        lam: λ of the run.
        c: t*·λ in epochs, the geometric mean over seeds.
        points: Ids of its points, one a seed.
    """

    eta: float
    lam: float
    c: float
    points: tuple[str, ...]


def find_probe(tables: Tables) -> Probe:
    """Return the probe among the points of one η: that of the tables, or that with most accuracies within a budget.

    Raises:
        RequirementError: η has a schedule, or no point of λ > 0 learned and was seen to pass its maximum.
    """
    require_columns(tables.within, ["acc"], "accuracies within the budgets of the grid (analysis.budgets)")
    if (tables.sweeps["schedule"] != "constant").any():
        raise RequirementError("a constant η: with a schedule a run stopped early is not a run of a smaller budget")
    require_one_setting(tables.peaks)
    eta = choose_eta(tables.within[tables.within["acc"].notna()], tables.eta)
    peaks = rows_at_eta(tables.peaks, eta)
    past = peaks[peaks["in_law"].astype(bool) & ~peaks["censored"].astype(bool)]
    past = past[_measurements_until_peak(tables.rows, past) >= MIN_MEASUREMENTS]
    if past.empty:
        raise RequirementError(
            f"a point of η = {eta:g} and large λ that was trained past its maximum, to read c = t*·λ from"
        )
    probe = past[past["lam"] == past["lam"].max()]
    c = geometric_mean_c(probe)
    return Probe(eta, float(probe["lam"].iloc[0]), c, tuple(dict.fromkeys(probe["point"])))


def _measurements_until_peak(rows: pd.DataFrame, peaks: pd.DataFrame) -> np.ndarray:
    """Return the number of measurements of each point up to its t*, (P,)."""
    if peaks.empty:
        return np.zeros(0)
    star = peaks.drop_duplicates("point").set_index("point")["t_star"]
    early = rows[rows["point"].isin(star.index)]
    early = early[early["epoch"] <= early["point"].astype(str).map(star)].drop_duplicates(["point", "step"])
    count = early["point"].astype(str).value_counts()
    return peaks["point"].map(count).fillna(0).to_numpy(dtype=float)


def tuned_and_predicted(tables: Tables, probe: Probe) -> pd.DataFrame:
    """Return tuned and predicted λ of each budget T (epochs), from accuracies averaged over seeds.

    Returns:
        One row a budget. ``budget_at`` is T; ``low`` and ``high`` bound all λ within 0.1 % of the accuracy of
        ``lam_tuned``. ``edge`` says that the tuned λ is the smallest or largest of the grid. ``acc_tuned`` is its
        accuracy, ``acc_zero`` that of λ = 0. ``lam_pred`` is c/T; ``acc_pred`` is interpolated in log λ between the λ
        of the grid, NaN outside.
    """
    records = []
    means = accuracies_within_budgets(tables, probe.eta)
    means = means[means["seed"].isna()]
    for budget, cell in means.groupby("budget_at", sort=True):
        rows, zero = cell[cell["lam"] > 0].sort_values("lam"), cell.loc[cell["lam"] == 0, "y"]
        if rows.empty:
            continue
        lam, acc = numeric_column(rows, "lam"), numeric_column(rows, "y")
        best, near = int(acc.argmax()), lam[acc >= acc.max() - TUNED_MARGIN]
        predicted = probe.c / float(budget)  # type: ignore[arg-type]
        acc_pred = np.interp(np.log(predicted), np.log(lam), acc, left=np.nan, right=np.nan)
        record = {"budget_at": budget, "lam_tuned": lam[best], "low": near[0], "high": near[-1], "acc_tuned": acc[best]}
        record |= {"edge": best in {0, len(lam) - 1}, "lam_pred": predicted, "acc_pred": acc_pred}
        records.append(record | {"acc_zero": zero.max() if len(zero) else np.nan})
    return pd.DataFrame(records)


def accuracies_within_budgets(tables: Tables, eta: float) -> pd.DataFrame:
    """Return maximum accuracy within each budget against λ: means over seeds, and each seed."""
    chosen = rows_at_eta(tables.within, eta).drop_duplicates(["point", "budget_at"])
    marks = chosen.assign(panel="within", x=chosen["lam"], y=chosen["acc"], mark="observed")
    return means_and_seeds(marks, ["eta", "lam", "budget_at"])


# ----------------------------------------------------------------------------------------------- data


def accuracy_of_prediction(tables: Tables) -> pd.DataFrame:
    """Return the table of figure 1b: test accuracy at the tuned and at the predicted λ, against the budget T (epochs).

    Returns:
        Panel ``accuracy``, series ``tuned``, ``predicted`` and ``zero`` (λ = 0); ``x`` is T.

    Raises:
        RequirementError: There is no probe, or every predicted λ lies outside the grid.
    """
    probe = find_probe(tables)
    table = tuned_and_predicted(tables, probe)
    shape: dict[str, Any] = {"panel": "accuracy", "eta": probe.eta, "mark": "observed"}
    parts = [
        _series_table("tuned", table["lam_tuned"], table["budget_at"], table["acc_tuned"]),
        _series_table("predicted", table["lam_pred"], table["budget_at"], table["acc_pred"]),
        _series_table("zero", 0.0, table["budget_at"], table["acc_zero"]),
    ]
    if not bool(table["acc_pred"].notna().any()):
        raise RequirementError(f"λ near c/T = {_format_range(table['lam_pred'])}: all lie outside the grid")
    return stack_panels([part[part["y"].notna()].assign(**shape) for part in parts])


def probe_and_tuned(tables: Tables) -> pd.DataFrame:
    """Return the table of figure 4: accuracy of the probe against t·λ, and tuned and predicted λ against the budget T.

    Both t and T are in epochs.

    Returns:
        Panel ``probe`` with series ``curve`` (also of each seed, if there are several) and ``c``, whose ``x`` is c.
        Panel ``lam`` with series ``tuned`` (with ``low`` and ``high``, marked ``edge`` at the end of the grid) and
        ``predicted``.
    """
    probe = find_probe(tables)
    rows = tables.rows[tables.rows["point"].isin(probe.points)].drop_duplicates(["point", "step"])
    rows = rows.assign(product=rows["epoch"] * probe.lam)
    curve = mean_curves(rows, ["eta", "lam"], "test_acc", x="product")
    by_seed = mean_curves(rows, ["eta", "lam", "seed"], "test_acc", x="product") if len(probe.points) > 1 else curve[:0]
    curves = pd.concat([curve, by_seed]).assign(panel="probe", series="curve", mark="observed")
    c = pd.DataFrame({"panel": "probe", "series": "c", "lam": probe.lam, "x": [probe.c], "mark": "prediction"})
    table = tuned_and_predicted(tables, probe)
    mark = np.where(table["edge"].astype(bool), "edge", "observed")
    tuned = _series_table("tuned", table["lam_tuned"], table["budget_at"], table["lam_tuned"], mark)
    tuned = tuned.assign(low=table["low"], high=table["high"])
    predicted = _series_table("predicted", table["lam_pred"], table["budget_at"], table["lam_pred"], "prediction")
    lams = pd.concat([tuned, predicted]).assign(panel="lam")
    return stack_panels([curves[curves["x"] > 0], c.assign(eta=probe.eta), lams.assign(eta=probe.eta)])


def accuracy_and_prediction(tables: Tables, factor: float = 1.0) -> pd.DataFrame:
    """Return the table of figures S3 and S4: maximum test accuracy within T against λ, and λ_pred = factor·c/T.

    Args:
        tables: Tables of one or more sweeps.
        factor: Factor on c; 2 in figure S4.

    Returns:
        Panel ``within``; ``x`` is λ. Rows marked ``prediction`` are λ_pred of each T, without ``y``.
    """
    probe = find_probe(tables)
    means = accuracies_within_budgets(tables, probe.eta)
    budgets = means["budget_at"].unique()
    predicted = pd.DataFrame(
        {"panel": "within", "eta": probe.eta, "budget_at": budgets, "x": factor * probe.c / budgets}
    )
    return stack_panels([means[means["lam"] > 0], predicted.assign(lam=predicted["x"], mark="prediction")])


def _series_table(name: str, lam: Any, x: pd.Series, y: pd.Series, mark: Any = "observed") -> pd.DataFrame:
    """Return the rows of one series against budgets.

    Args:
        name: Name of the series.
        lam: λ of each row.
        x: Budget of each row, epochs.
        y: Value of each row.
        mark: Mark of each row.
    """
    return pd.DataFrame({"series": name, "lam": lam, "x": x, "y": y, "budget_at": x, "mark": mark})


def _format_range(values: pd.Series) -> str:
    """Return the range of values as text."""
    return f"{values.min():.2g} to {values.max():.2g}"


# -------------------------------------------------------------------------------------------- drawing


def draw_accuracy_of_prediction(data: pd.DataFrame) -> Figure:
    """Draw figure 1b: one panel."""
    rows = panel_rows(data, "accuracy")
    with styled(8.0):
        figure, [[ax]] = new_print_figure([["Test accuracy within T: predicted and tuned λ"]], bottom=LINE_KEY_MARGIN)
        line_styles: dict[str, LineStyle] = {"tuned": TUNED_STYLE, "predicted": PREDICTED_STYLE, "zero": LAM_ZERO_STYLE}
        for name, line_style in line_styles.items():
            part = rows[rows["series"] == name]
            ax.plot(part["x"], part["y"], **line_style)
        log_x(ax, numeric_column(rows, "x"), "budget T (epochs)")
        ax.set_ylabel("test accuracy")
        names = {"tuned": "tuned λ", "predicted": "predicted λ = c/T", "zero": "λ = 0"}
        draw_line_key(ax, {names[s]: line_styles[s] for s in names if (rows["series"] == s).any()})
    return figure


def draw_probe_and_tuned(data: pd.DataFrame) -> Figure:
    """Draw figure 4: two panels."""
    with styled(8.0):
        figure, [[left, right]] = new_print_figure(
            [["a  Accuracy of the probe", "b  Tuned and predicted λ"]], bottom=LINE_KEY_MARGIN + 0.12
        )
        _draw_probe(left, panel_rows(data, "probe"))
        _draw_tuned(right, panel_rows(data, "lam"))
    return figure


def _draw_probe(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw accuracy of the probe against t·λ, and c."""
    curve, c = rows[rows["series"] == "curve"], rows[rows["series"] == "c"].iloc[0]
    for _, part in curve[curve["seed"].notna()].groupby("seed"):
        ax.plot(part["x"], part["y"], color=lighten(BLUE, 0.6), linewidth=0.7)
    mean = curve[curve["seed"].isna()]
    ax.plot(mean["x"], mean["y"], color=BLUE)
    ax.axvline(c["x"], color=ORANGE, linestyle=DASHED, linewidth=1.2)
    log_x(ax, numeric_column(rows, "x"), "t·λ (epochs)")
    ax.set_ylabel("test accuracy")
    lines = {f"probe, λ = {tick_label(c['lam'])}": {"color": BLUE}}
    draw_line_key(ax, lines | {f"c = t*·λ = {c['x']:.2g}": {"color": ORANGE, "linestyle": DASHED}})


def _draw_tuned(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw tuned λ with bars, and predicted λ, against the budget."""
    tuned, predicted = rows[rows["series"] == "tuned"], rows[rows["series"] == "predicted"]
    bars = [tuned["y"] - tuned["low"], tuned["high"] - tuned["y"]]
    ax.errorbar(tuned["x"], tuned["y"], bars, color=BLUE, fmt="none", capsize=2.5, elinewidth=1.0)
    for mark in ("observed", "edge"):
        part = tuned[tuned["mark"] == mark]
        ax.plot(part["x"], part["y"], color=BLUE, linestyle="none", zorder=3, **MARK_STYLES[mark])
    ax.plot(predicted["x"], predicted["y"], **PREDICTED_STYLE)
    log_x(ax, numeric_column(rows, "x"), "budget T (epochs)")
    log_y(ax, np.concatenate([numeric_column(rows, name) for name in ("y", "low", "high")]), "λ")
    lines: dict[str, Any] = {
        "predicted, c/T": PREDICTED_STYLE,
        "tuned; bars: within 0.1 %": TUNED_STYLE | {"linestyle": "none"},
    }
    if (tuned["mark"] == "edge").any():
        lines["tuned, at the end of the grid"] = {"color": BLUE, "linestyle": "none"} | MARK_STYLES["edge"]
    draw_line_key(ax, lines)


def draw_accuracy_and_prediction(data: pd.DataFrame) -> Figure:
    """Draw figures S3 and S4: one panel."""
    rows = panel_rows(data, "within")
    budgets = budget_scale(numeric_column(rows, "budget_at"))
    with styled(8.0):
        figure, [[ax]] = new_print_figure(
            [[f"Maximum test accuracy within T epochs, η = {tick_label(rows['eta'].iloc[0])}"]]
        )
        predicted = rows["mark"] == "prediction"
        for x, budget in zip(rows["x"][predicted], rows["budget_at"][predicted], strict=True):
            ax.axvline(x, color=budgets.color(budget), linestyle=DASHED, linewidth=1.0)
        draw_means(ax, rows[~predicted], "budget_at", styles_from(budgets))
        log_x(ax, numeric_column(rows, "x"), "λ")
        ax.set_ylabel("test accuracy")
        draw_keys(ax, "T", budgets, {"predicted λ": {"color": INK, "linestyle": DASHED, "linewidth": 1.0}})
    return figure
