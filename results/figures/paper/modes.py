"""Figures 5a and 5b: two modes of an infinitely wide network while it trains, without any sweep."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

from results.figures.axes import tick_label
from results.figures.columns import numeric_column
from results.figures.layout import draw_line_key, new_print_figure
from results.figures.paper.panels import LINE_KEY_MARGIN, draw_curves, log_x, panel_rows
from results.figures.paper.sources import Tables
from results.figures.style import BLUE, INK, ORANGE, lighten, styled

LAM = 0.01  # as in the paper's figure
GAMMAS = (1.0, 0.001)  # eigenvalues γ well above and well below λ; the paper does not print its own
START, LABEL = 0.5, 1.0  # f(0) and y of both modes
TIMES = np.geomspace(1e-2, 1e4, 400)  # from before the first mode learns, 1/γ, to long after all decay, 1/λ
MODE_STYLES = {
    f"γ/λ = {tick_label(gamma / LAM)}": {"color": color} for gamma, color in zip(GAMMAS, (ORANGE, BLUE), strict=True)
}


def evolve_mode(gamma: float, lam: float, k: float, times: np.ndarray, start: float, label: float) -> np.ndarray:
    """Integrate equation (1), projected on an eigenvector of the kernel, to get a mode of the function at given times.

    The equation is df/dt = −γ e^{−2(k−1)λt} (f − y) − kλ f, whose solution is equation (3).

    Args:
        gamma: Eigenvalue γ of the kernel, 1/time.
        lam: L2 coefficient λ.
        k: Degree of homogeneity; 1 is a linear model, 2 a network with one hidden layer.
        times: Ascending times (n,), step·η.
        start: f(0).
        label: y.

    Returns:
        f (n,), to about 1e-7 of the larger of ``start`` and ``label``.
    """

    def slope(t: float, f: np.ndarray) -> np.ndarray:
        kernel = gamma * math.exp(-2 * (k - 1) * lam * t)
        return -kernel * (f - label) - k * lam * f

    solution = solve_ivp(slope, (0.0, times[-1]), [start], "LSODA", times, rtol=1e-9, atol=1e-9)
    mode: np.ndarray = solution.y[0]
    return mode


def two_modes(_: Tables) -> pd.DataFrame:
    """Return the table of figures 5a (k = 2) and 5b (k = 1): f against time, for γ above and below λ.

    Returns:
        Panels ``k=2`` and ``k=1``, one series for each γ/λ; ``x`` = step·η, ``y`` = f.
    """
    parts = [
        pd.DataFrame({"panel": f"k={k}", "series": series, "gamma": gamma, "lam": LAM, "x": TIMES}).assign(
            y=evolve_mode(gamma, LAM, k, TIMES, START, LABEL), mark="theory"
        )
        for k in (2, 1)
        for gamma, series in zip(GAMMAS, MODE_STYLES, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def draw_two_modes(data: pd.DataFrame) -> Figure:
    """Draw figures 5a and 5b: two panels, with a dotted line at t = 1/λ."""
    with styled(8.0):
        figure, [axes] = new_print_figure([["a  Two layers, k = 2", "b  Linear model, k = 1"]], bottom=LINE_KEY_MARGIN)
        for ax, k in zip(axes, (2, 1), strict=True):
            rows = panel_rows(data, f"k={k}")
            ax.axvline(1 / LAM, color=lighten(INK, 0.4), linestyle=":", linewidth=1.0)
            draw_curves(ax, rows, "series", MODE_STYLES.__getitem__)
            log_x(ax, numeric_column(rows, "x"), "time (step·η)")
            ax.set(ylabel="mode f, its label is 1", ylim=(-0.03, 1.06))
            draw_line_key(ax, MODE_STYLES | {"t = 1/λ": {"color": lighten(INK, 0.4), "linestyle": ":"}})
    return figure
