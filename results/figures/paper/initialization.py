"""Figure SF: decay time at the maximum against the initialization scale."""

import pandas as pd
from matplotlib.figure import Figure

from results.figures.axes import tick_label
from results.figures.columns import numeric_column
from results.figures.layout import new_print_figure
from results.figures.paper.means import means_and_seeds, stack_panels
from results.figures.paper.panels import draw_keys, draw_means, log_x, log_y, panel_rows, styles_from
from results.figures.paper.sources import RequirementError, Tables, require_columns, require_one_setting
from results.figures.style import MARK_STYLES, MUTED, lam_scale, styled


def time_and_scale(tables: Tables) -> pd.DataFrame:
    """Return the table of figure SF: κ against σ_w, by λ.

    Returns:
        Panel ``kappa`` of each η; ``x`` is σ_w. A mean is censored if one of its t* is a lower bound.

    Raises:
        RequirementError: Fewer than two σ_w have points that learned.
    """
    require_columns(tables.peaks, ["sigma_w"], "peaks (an axis of the grid)")
    require_one_setting(tables.peaks, besides=["sigma_w"])
    peaks = tables.peaks[tables.peaks["in_law"].astype(bool)].drop_duplicates("point")
    if peaks["sigma_w"].nunique() < 2:
        raise RequirementError("points of two or more sigma_w that learned")
    mark = peaks["censored"].astype(bool).map({True: "censored", False: "observed"})
    marks = peaks.assign(panel="kappa", x=peaks["sigma_w"], y=peaks["kappa"], mark=mark)
    return stack_panels([means_and_seeds(marks[marks["y"] > 0], ["eta", "lam", "sigma_w"], geometric=True)])


def draw_time_and_scale(data: pd.DataFrame) -> Figure:
    """Draw figure SF: one panel an η."""
    rows = panel_rows(data, "kappa")
    etas, lams = sorted(rows["eta"].unique()), lam_scale(numeric_column(rows, "lam"))
    with styled(8.0):
        figure, [axes] = new_print_figure([[f"κ against σ_w, η = {tick_label(eta)}" for eta in etas]])
        for ax, eta in zip(axes, etas, strict=True):
            part = rows[rows["eta"] == eta]
            draw_means(ax, part, "lam", styles_from(lams))
            log_x(ax, numeric_column(rows, "x"), "σ_w")
            log_y(ax, numeric_column(rows, "y"), "κ")
            bound = {"lower bound": MARK_STYLES["censored"] | {"color": MUTED, "linestyle": "none"}}
            draw_keys(ax, "λ", lams, bound if (part["mark"] == "censored").any() else {})
    return figure
