"""Figures 1c, S6, S9, S10 and 5c: curves along training."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from results.figures.axes import tick_label
from results.figures.columns import numeric_column
from results.figures.layout import draw_line_key, new_print_figure
from results.figures.paper.means import low_middle_high, mean_curves, pick_evenly, stack_panels
from results.figures.paper.panels import (
    LAM_ZERO_STYLE,
    LINE_KEY_MARGIN,
    LineStyle,
    draw_curves,
    draw_keys,
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
from results.figures.style import BLUE, GREEN, INK, ORANGE, ColorScale, lam_scale, lighten, styled

AUTO, CONSTANT = "AutoL2", "constant"
AUTO_STYLE: dict[str, Any] = {"color": ORANGE, "linewidth": 1.8, "zorder": 3}
MAX_CONSTANT_LAMS = 5  # constant λ > 0
SERIES_STYLES: dict[str, dict[str, Any]] = {
    "theory, k = 1": {"color": BLUE, "linestyle": (0, (5, 2))},
    "theory, k = 2": {"color": ORANGE},
    "experiment": {"color": GREEN, "linestyle": (0, (1, 1)), "linewidth": 1.8},
}


def auto_against_best(tables: Tables) -> pd.DataFrame:
    """Return the table of figure 1c: test accuracy against epochs, for AutoL2 and the best constant λ.

    Returns:
        Panel ``accuracy``, series ``AutoL2`` and ``constant``; ``x`` is in epochs, ``lam`` is λ at the start.
    """
    rows = _auto_rows(tables)
    curves = _auto_curves(rows)
    return curves[
        (curves["panel"] == "accuracy") & ((curves["series"] == AUTO) | (curves["lam"] == _best_constant_lam(rows)))
    ]


def auto_against_constants(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S9: test accuracy and λ_t against epochs, for AutoL2, five constant λ and λ = 0.

    There may be fewer constant λ than five.

    Returns:
        Panels ``accuracy`` and ``lam_t`` (in the grids' convention), for AutoL2 one curve a seed in ``lam_t``. ``x`` is
        in epochs, ``lam`` is λ at the start.
    """
    rows = _auto_rows(tables)
    curves = _auto_curves(rows)
    constant = curves.loc[curves["series"] == CONSTANT, "lam"]
    chosen = {0.0, _best_constant_lam(rows), *pick_evenly(constant[constant > 0], MAX_CONSTANT_LAMS - 1)}
    return curves[(curves["series"] == AUTO) | curves["lam"].isin(chosen)].reset_index(drop=True)


def auto_with_schedule(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S10: that of S9, from sweeps with a schedule of η.

    Raises:
        RequirementError: A sweep has a constant η.
    """
    if (tables.sweeps["schedule"] == "constant").any():
        raise RequirementError("a schedule of η in each sweep")
    return auto_against_constants(tables)


def _auto_rows(tables: Tables) -> pd.DataFrame:
    """Return rows of AutoL2 (from its largest λ) and of every constant λ at one η, up to the end of AutoL2.

    Raises:
        RequirementError: There is no sweep with AutoL2, none without, or no η that both have.
    """
    auto = set(tables.sweeps.loc[tables.sweeps["auto"].astype(bool), "sweep"])
    if not auto or len(auto) == len(tables.sweeps):
        raise RequirementError("one sweep with AutoL2 (l2.auto) and one of constant λ")
    require_columns(tables.rows, ["test_acc", "lam_t"], "rows")
    require_one_setting(tables.peaks)
    falls = tables.rows["sweep"].isin(auto)
    shared = set(tables.rows.loc[falls, "eta"]) & set(tables.rows.loc[~falls, "eta"])
    rows = tables.rows[tables.rows["eta"].isin(shared)]
    if rows.empty:
        raise RequirementError("an η that both sweeps have")
    rows = rows_at_eta(rows.drop_duplicates(["point", "step"]), choose_eta(rows, tables.eta))
    rows = rows.assign(series=np.where(rows["sweep"].isin(auto), AUTO, CONSTANT))
    falling = rows[rows["series"] == AUTO]
    end = falling["epoch"].max()
    kept = (rows["series"] == CONSTANT) | (rows["lam"] == falling["lam"].max())
    chosen: pd.DataFrame = rows[kept & (rows["epoch"] <= end * (1 + 1e-9))]
    return chosen


def _auto_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Return mean accuracies and λ_t. AutoL2 has one λ_t a seed: a mean of steps at different times is no schedule."""
    group = ["series", "eta", "lam"]
    acted = rows[(rows["step"] > 0) & (rows["lam_t"] > 0)]  # no λ acts before the first step
    falls = acted["series"] == AUTO
    constant = acted[~falls]
    weight_decay = numeric_column(constant, "lam_t") / numeric_column(
        constant, "lam"
    )  # at λ = 1, by the convention of l2
    acted = acted.assign(lam_t=acted["lam_t"] / (np.median(weight_decay) if len(constant) else 1.0))
    return stack_panels(
        [
            mean_curves(rows, group, "test_acc").assign(panel="accuracy", mark="observed"),
            mean_curves(acted[~falls], group, "lam_t").assign(panel="lam_t", mark="observed"),
            mean_curves(acted[falls], [*group, "seed"], "lam_t").assign(panel="lam_t", mark="observed"),
        ]
    )


def _best_constant_lam(rows: pd.DataFrame) -> float:
    """Return the constant λ > 0 with the highest maximum, mean over seeds.

    Raises:
        RequirementError: There is no constant λ > 0.
    """
    constant = rows[(rows["series"] == CONSTANT) & (rows["lam"] > 0)]
    maxima = constant.groupby(["lam", "point"], observed=True)["test_acc"].max().groupby("lam").mean()
    if maxima.empty:
        raise RequirementError("a constant λ > 0 at the η of AutoL2")
    return float(maxima.index.to_numpy()[maxima.to_numpy().argmax()])


def dynamics(tables: Tables) -> pd.DataFrame:
    """Return the table of figure S6: loss and accuracy against epochs, for three λ > 0 at one η of each sweep.

    The three are the smallest, the middle and the largest λ.

    Returns:
        Panels ``loss`` and ``accuracy``, series ``train`` and ``test``; ``x`` is in epochs.
    """
    require_columns(tables.rows, ["train_loss", "test_loss", "train_acc", "test_acc"], "rows")
    parts = []
    for name in tables.names:
        sweep = tables.of_sweep(name)
        require_one_setting(sweep.peaks)
        rows = sweep.rows[sweep.rows["lam"] > 0]
        rows = rows_at_eta(rows, choose_eta(rows.drop_duplicates("point"), tables.eta))
        rows = rows[rows["lam"].isin(low_middle_high(rows["lam"]))]
        for shown, short in (("loss", "loss"), ("accuracy", "acc")):
            for series in ("train", "test"):
                curves = mean_curves(rows, ["sweep", "eta", "lam"], f"{series}_{short}")
                parts.append(curves[curves["x"] > 0].assign(panel=shown, series=series, mark="observed"))
    return stack_panels(parts)


def theory_and_experiment(tables: Tables) -> pd.DataFrame:
    """Return the table of figure 5c: training loss against time, for theory with k = 1 and 2 and an experiment.

    The time is step·η.

    k is that of a sweep of the theory, or its axis ``homogeneity``. All curves have one λ, the middle one of those that
    all have. Each has its smallest η, whose steps follow the flow best.

    Returns:
        Panel ``loss``, one series for each of the three; ``x`` is the time.

    Raises:
        RequirementError: One of the three is missing, or they share no λ.
    """
    require_columns(tables.rows, ["train_loss"], "rows")
    require_one_setting(tables.peaks, besides=["homogeneity"])
    facts = tables.sweeps.set_index("sweep")["homogeneity"]
    degree = tables.rows["sweep"].map(facts).astype(float)
    if "homogeneity" in tables.rows:
        axis = pd.to_numeric(tables.rows["homogeneity"], errors="coerce")
        degree = axis.where(degree.notna() & axis.notna(), degree)
    series = np.where(degree.isna(), "experiment", "theory, k = " + degree.map("{:g}".format))
    rows = tables.rows.assign(series=series)
    rows = rows[rows["series"].isin(SERIES_STYLES)]
    missing = [kind for kind in SERIES_STYLES if not (rows["series"] == kind).any()]
    if missing:
        raise RequirementError(
            f"a sweep for each of {', '.join(SERIES_STYLES)}; there is none for {' and '.join(missing)}"
        )
    shared = sorted(set.intersection(*(set(part["lam"]) for _, part in rows.groupby("series"))))
    if not shared:
        raise RequirementError("a λ that all these sweeps have")
    rows = rows[rows["lam"] == shared[(len(shared) - 1) // 2]]
    rows = rows[rows["eta"] == rows.groupby("series")["eta"].transform("min")]
    curves = mean_curves(rows.assign(time=rows["step"] * rows["eta"]), ["series", "eta", "lam"], "train_loss", x="time")
    return stack_panels([curves[(curves["x"] > 0) & (curves["y"] > 0)].assign(panel="loss", mark="observed")])


# -------------------------------------------------------------------------------------------- drawing


def draw_auto_against_best(data: pd.DataFrame) -> Figure:
    """Draw figure 1c: one panel."""
    rows = panel_rows(data, "accuracy")
    constant = rows.loc[rows["series"] == CONSTANT, "lam"].iloc[0]
    with styled(8.0):
        figure, [[ax]] = new_print_figure([["Test accuracy while training"]], bottom=LINE_KEY_MARGIN)
        line_styles = {AUTO: AUTO_STYLE, CONSTANT: {"color": BLUE}}
        draw_curves(ax, rows.sort_values("series", ascending=False), "series", line_styles.__getitem__)
        _label_epochs(ax, "test accuracy")
        draw_line_key(ax, {AUTO: AUTO_STYLE, f"best constant, λ = {tick_label(constant)}": {"color": BLUE}})
    return figure


def draw_auto_against_constants(data: pd.DataFrame) -> Figure:
    """Draw figures S9 and S10: two panels."""
    constant = data[data["series"] == CONSTANT]
    lams = lam_scale(numeric_column(constant, "lam"))
    with styled(8.0):
        figure, [[left, right]] = new_print_figure([["a  Test accuracy while training", "b  L2 coefficient"]])
        for ax, name in ((left, "accuracy"), (right, "lam_t")):
            rows = panel_rows(data, name)
            properties: dict[str, Any] = {"drawstyle": "steps-pre"} if name == "lam_t" else {}
            draw_curves(ax, rows[rows["series"] == CONSTANT], "lam", styles_from(lams), **properties)
            draw_curves(ax, rows[rows["series"] == AUTO], "seed", lambda _: AUTO_STYLE, **properties | AUTO_STYLE)
            draw_keys(
                ax, "λ", lams, {AUTO: AUTO_STYLE} | ({"λ = 0": LAM_ZERO_STYLE} if (rows["lam"] == 0).any() else {})
            )
        _label_epochs(left, "test accuracy")
        log_y(right, numeric_column(panel_rows(data, "lam_t"), "y"), "λₜ")
        _label_epochs(right, right.get_ylabel())
    return figure


def _label_epochs(ax: Axes, label: str) -> None:
    """Label the axes of curves against epochs, which start at 0."""
    ax.set(xlabel="epochs", ylabel=label)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))


def draw_dynamics(data: pd.DataFrame) -> Figure:
    """Draw figure S6: two panels a row, one row a sweep."""
    sweeps = list(dict.fromkeys(data["sweep"]))
    titles = []
    for r, name in enumerate(sweeps):
        eta = tick_label(data.loc[data["sweep"] == name, "eta"].iloc[0])
        titles.append([f"{chr(97 + 2 * r)}  Loss, η = {eta}", f"{chr(98 + 2 * r)}  Accuracy, η = {eta}"])
    with styled(8.0):
        figure, grid = new_print_figure(titles, [f"sweep {name}" for name in sweeps] if len(sweeps) > 1 else ())
        for name, (left, right) in zip(sweeps, grid, strict=True):
            lams = lam_scale(numeric_column(data[data["sweep"] == name], "lam"))
            for ax, shown in ((left, "loss"), (right, "accuracy")):
                rows = panel_rows(data, shown, name)
                _draw_train_and_test(ax, rows, lams)
                log_x(ax, numeric_column(rows, "x"), "epochs")
                grey: dict[str, LineStyle] = {
                    "test": {"color": INK},
                    "train": {"color": lighten(INK, 0.45), "linestyle": (0, (2, 1.2))},
                }
                draw_keys(ax, "λ", lams, grey)
            log_y(left, numeric_column(panel_rows(data, "loss", name), "y"), "loss")
            right.set_ylabel("accuracy")
    return figure


def _draw_train_and_test(ax: Axes, rows: pd.DataFrame, lams: ColorScale) -> None:
    """Draw test curves as full lines, and training curves paler and dotted."""
    for series, share, style in (("train", 0.35, (0, (2, 1.2))), ("test", 0.0, "-")):
        part = rows[rows["series"] == series]
        draw_curves(ax, part, "lam", lambda lam, s=share: {"color": lighten(lams.color(lam), s)}, linestyle=style)  # type: ignore[misc]


def draw_theory_and_experiment(data: pd.DataFrame) -> Figure:
    """Draw figure 5c: one panel."""
    rows = panel_rows(data, "loss")
    with styled(8.0):
        figure, [[ax]] = new_print_figure(
            [[f"Training loss, λ = {tick_label(rows['lam'].iloc[0])}"]], bottom=LINE_KEY_MARGIN
        )
        for kind, line_style in SERIES_STYLES.items():
            draw_curves(ax, rows[rows["series"] == kind], "series", lambda _, fixed=line_style: fixed)  # type: ignore[misc]
        log_x(ax, numeric_column(rows, "x"), "time (step·η)")
        log_y(ax, numeric_column(rows, "y"), "training loss")
        draw_line_key(ax, SERIES_STYLES)
    return figure
