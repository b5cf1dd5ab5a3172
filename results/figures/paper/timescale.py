"""Figure B4, beyond the paper: tuned λ of AdamW against the length of the run, and two rules for its timescale."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.analysis.budgets import TUNED_MARGIN
from results.figures.columns import BROKEN_OUTCOMES, numeric_column
from results.figures.layout import new_print_figure
from results.figures.paper.decay import PLAIN_SGD_KAPPA
from results.figures.paper.means import stack_panels
from results.figures.paper.panels import draw_keys, log_x, log_y, panel_rows
from results.figures.paper.sources import RequirementError, Tables, require_columns, require_one_setting
from results.figures.style import DASHED, INK, MARK_STYLES, ColorScale, eta_scale, styled

RULE_STYLES: dict[str, dict[str, Any]] = {"share": {"linestyle": DASHED}, "epochs": {"linestyle": (0, (1, 1.6))}}
_RULE_LABELS = {"share": "τ = T/κ", "epochs": "one τ"}
_ETA_OFFSET = 1.07  # factor in T between the marks of two η, so that their bars do not overlap


def tuned_and_timescale(tables: Tables) -> pd.DataFrame:
    """Return the table of figure B4: tuned λ of each η and budget T (epochs), and λ of two rules for τ = 1/(ηλ).

    η in τ is the mean over the run. Rule ``share`` is τ = T/κ: the decay time of the whole run is the κ of plain SGD.
    Rule ``epochs`` is one τ for all η and T, the geometric mean of those of the tuned λ. Accuracies at their λ are
    interpolated linearly in log λ.

    Returns:
        Panels ``lam`` and ``accuracy``, series ``tuned``, ``share`` and ``epochs``; ``x`` is T. In ``lam``, ``low`` and
        ``high`` bound all λ within 0.1 % of the tuned accuracy, and the mark is ``edge`` at the end of the grid. An
        accuracy at a λ outside the grid is left out.

    Raises:
        RequirementError: No point has λ > 0, or the sweeps do not differ in a fixed budget.
    """
    require_columns(tables.peaks, ["best_test_acc", "last_decay_time"], "peaks")
    require_one_setting(tables.peaks)
    peaks = tables.peaks[(tables.peaks["lam"] > 0) & ~tables.peaks["outcome"].isin(BROKEN_OUTCOMES)]
    if peaks.empty:
        raise RequirementError("points of λ > 0")
    if tables.peaks.groupby("sweep")["budget"].nunique().max() > 1 or peaks["budget"].nunique() < 2:
        raise RequirementError("sweeps of a fixed budget, which differ in it")
    table = pd.DataFrame([_tuned_lam(part) for _, part in peaks.groupby(["eta", "budget"], sort=True)])
    by_rule = {"share": PLAIN_SGD_KAPPA / table["per_lam"]}
    decay_per_epoch = np.exp(np.log(table["lam_tuned"] * table["per_lam"] / table["budget"]).mean())
    by_rule["epochs"] = decay_per_epoch * table["budget"] / table["per_lam"]
    cell = {"eta": table["eta"], "budget_at": table["budget"], "x": table["budget"]}
    tuned = pd.DataFrame(cell | {"series": "tuned", "lam": table["lam_tuned"], "mark": table["mark"]})
    parts = [
        tuned.assign(panel="lam", y=table["lam_tuned"], low=table["low"], high=table["high"]),
        tuned.assign(panel="accuracy", y=table["acc_tuned"]),
    ]
    for name, lam in by_rule.items():
        rule = pd.DataFrame(cell | {"series": name, "lam": lam, "mark": "prediction"})
        acc = [_accuracy_at(curve, value) for curve, value in zip(table["curve"], lam, strict=True)]
        parts += [rule.assign(panel="lam", y=lam), rule.assign(panel="accuracy", y=acc)]
    data = stack_panels(parts)
    return data[data["y"].notna()].reset_index(drop=True)


def _tuned_lam(peaks: pd.DataFrame) -> dict[str, Any]:
    """Return the tuned λ of one η and budget, from accuracies averaged over seeds.

    Key ``per_lam`` is the decay time of a run over λ.
    """
    curve = peaks.groupby("lam", sort=True)["best_test_acc"].mean()
    lams, best = curve.index.to_numpy(dtype=float), int(curve.to_numpy().argmax())
    near = lams[curve.to_numpy() >= curve.max() - TUNED_MARGIN]
    return {
        "eta": peaks["eta"].iloc[0],
        "budget": peaks["budget"].iloc[0],
        "per_lam": float((peaks["last_decay_time"] / peaks["lam"]).mean()),
        "lam_tuned": lams[best],
        "low": near[0],
        "high": near[-1],
        "mark": "edge" if best in {0, len(lams) - 1} else "observed",
        "acc_tuned": curve.max(),
        "curve": curve,
    }


def _accuracy_at(curve: pd.Series, lam: float) -> float:
    """Return the accuracy at a λ; NaN outside the grid."""
    log_lams = np.log(curve.index.to_numpy(dtype=float))
    return float(np.interp(np.log(lam), log_lams, curve.to_numpy(), left=np.nan, right=np.nan))


# -------------------------------------------------------------------------------------------- drawing


def draw_tuned_and_timescale(data: pd.DataFrame) -> Figure:
    """Draw figure B4: two panels."""
    etas = eta_scale(numeric_column(data, "eta"))
    lines = {
        _RULE_LABELS[name]: {"color": INK, "linewidth": 1.1} | line_style for name, line_style in RULE_STYLES.items()
    }
    tuned: dict[str, Any] = {"color": INK, "linestyle": "none"}
    with styled(8.0):
        figure, [[left, right]] = new_print_figure([["a  Tuned λ", "b  Maximum test accuracy"]])
        lams, accuracies = panel_rows(data, "lam"), panel_rows(data, "accuracy")
        for ax, rows in ((left, lams), (right, accuracies)):
            _draw_panel(ax, rows, etas)
            log_x(
                ax,
                np.append(numeric_column(rows, "x") * _ETA_OFFSET, numeric_column(rows, "x") / _ETA_OFFSET),
                "T (epochs)",
            )
            edge = {"end of the grid": tuned | MARK_STYLES["edge"]} if (rows["mark"] == "edge").any() else {}
            draw_keys(ax, "η", etas, {"tuned λ": tuned | MARK_STYLES["observed"]} | lines | edge)
        log_y(left, np.concatenate([numeric_column(lams, name) for name in ("y", "low", "high")]), "λ")
        right.set_ylabel("test accuracy")
    return figure


def _draw_panel(ax: Axes, rows: pd.DataFrame, etas: ColorScale) -> None:
    """Draw one panel: both rules as lines, tuned values as marks, bars where they have an interval."""
    for k, eta in enumerate(etas.values):
        at_eta, color = rows[rows["eta"] == eta].sort_values("x"), etas.color(eta)
        offset = _ETA_OFFSET ** (2 * k / max(1, len(etas.values) - 1) - 1)
        for name, line_style in RULE_STYLES.items():
            part = at_eta[at_eta["series"] == name]
            ax.plot(part["x"] * offset, part["y"], color=color, linewidth=1.1, **line_style)
        tuned = at_eta[at_eta["series"] == "tuned"]
        bars = np.array([tuned["y"] - tuned["low"], tuned["high"] - tuned["y"]], dtype=float)
        if np.isfinite(bars).any():
            ax.errorbar(tuned["x"] * offset, tuned["y"], bars, color=color, fmt="none", capsize=2.5, elinewidth=1.0)
        for mark in ("observed", "edge"):
            part = tuned[tuned["mark"] == mark]
            ax.plot(part["x"] * offset, part["y"], color=color, linestyle="none", zorder=3, **MARK_STYLES[mark])
