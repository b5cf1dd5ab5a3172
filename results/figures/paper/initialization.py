"""Figure SF: does the decay time at the maximum depend on the initialization scale?"""

import pandas as pd
from matplotlib.figure import Figure

from results.figures.axes import plain
from results.figures.layout import print_figure
from results.figures.paper.means import replicated, stack
from results.figures.paper.panels import draw_means, keys, log_x, log_y, look_of, numbers, panel
from results.figures.paper.sources import LackingError, Tables, require, require_one
from results.figures.style import MARKS, MUTED, lam_scale, styled


def time_and_scale(tables: Tables) -> pd.DataFrame:
    """Figure SF: κ against σ_w, by λ.

    Returns:
        Panel ``kappa`` of each η; ``x`` is σ_w. A mean is censored if one of its t* is a lower bound.
    """
    require(tables.peaks, ["sigma_w"], "peaks (an axis of the grid)")
    require_one(tables.peaks, besides=["sigma_w"])
    peaks = tables.peaks[tables.peaks["in_law"].astype(bool)].drop_duplicates("point")
    if peaks["sigma_w"].nunique() < 2:
        raise LackingError("points of two or more sigma_w that learned")
    mark = peaks["censored"].astype(bool).map({True: "censored", False: "observed"})
    marks = peaks.assign(panel="kappa", x=peaks["sigma_w"], y=peaks["kappa"], mark=mark)
    return stack([replicated(marks[marks["y"] > 0], ["eta", "lam", "sigma_w"], geometric=True)])


def draw_time_and_scale(data: pd.DataFrame) -> Figure:
    """Figure SF: one panel an η."""
    rows = panel(data, "kappa")
    etas, lams = sorted(rows["eta"].unique()), lam_scale(numbers(rows, "lam"))
    with styled(8.0):
        figure, [axes] = print_figure([[f"κ against σ_w, η = {plain(eta)}" for eta in etas]])
        for ax, eta in zip(axes, etas, strict=True):
            own = rows[rows["eta"] == eta]
            draw_means(ax, own, "lam", look_of(lams))
            log_x(ax, numbers(rows, "x"), "σ_w")
            log_y(ax, numbers(rows, "y"), "κ")
            bound = {"lower bound": MARKS["censored"] | {"color": MUTED, "linestyle": "none"}}
            keys(ax, "λ", lams, bound if (own["mark"] == "censored").any() else {})
    return figure
