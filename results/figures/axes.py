"""Axes: logarithmic scales with few ticks, and panels without data."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from results.figures.style import MUTED, PRINT_FONT


def draw_no_data(ax: Axes, reason: str) -> None:
    """Write into an empty panel why it has no data."""
    ax.set(xscale="linear", yscale="linear", xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.text(0.5, 0.56, "no data", ha="center", transform=ax.transAxes, fontsize=12, color=MUTED)
    ax.text(0.5, 0.44, reason, ha="center", va="top", transform=ax.transAxes, color=MUTED, wrap=True, fontsize=8.5)


def set_log_axis(axis: Axis, values: np.ndarray, inches: float | None = None) -> None:
    """Give an axis a logarithmic scale around values, with a few labeled ticks.

    Below two decades the ticks are at 1, 2 and 5. Fixed ticks are several times quicker to draw than matplotlib's own
    search for them.

    Args:
        axis: The x or y axis of a panel.
        values: Values that must be visible, all above zero, (n,).
        inches: Length of the axis. If given, ticks are as close as their labels allow.
    """
    low, high = math.log10(values.min()), math.log10(values.max())
    margin = 0.06 * max(high - low, 0.7)
    low, high = low - margin, high + margin
    set_scale, set_limits = (
        (axis.axes.set_xscale, axis.axes.set_xlim)
        if axis.axis_name == "x"  # type: ignore[attr-defined]
        else (axis.axes.set_yscale, axis.axes.set_ylim)
    )
    set_limits(10.0**low, 10.0**high)  # before the scale, which would search for limits itself
    set_scale("log")
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = _log_ticks(low, high, inches, axis.axis_name == "x")  # type: ignore[attr-defined]
    minor = [m * 10.0**d for d in decades for m in range(2, 10)] if high - low < 5 else []
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_label(value)))
    axis.set_minor_locator(FixedLocator(minor) if minor else NullLocator())
    axis.set_minor_formatter(NullFormatter())


# Candidates, densest first: every n-th decade, and the steps in it.
_TICK_CANDIDATES = ((1, (1, 2, 5)), (1, (1, 3)), *((every, (1,)) for every in range(1, 12)))


def _log_ticks(low: float, high: float, inches: float | None, horizontal: bool) -> list[float]:
    """Return labeled ticks between two powers of ten.

    Args:
        low: Lower end of the axis, log10.
        high: Upper end of the axis, log10.
        inches: Length of the axis. If given, ticks are as close as their labels allow.
        horizontal: Whether labels stand beside each other rather than above each other.
    """

    def ticks_at(every: int, steps: Sequence[int]) -> list[float]:
        decades = (d for d in range(math.floor(low), math.ceil(high) + 1) if d % every == 0)
        return [t for d in decades for m in steps if low <= math.log10(t := float(f"{m}e{d}")) <= high]

    if inches is None:
        return ticks_at(int(-(-(high - low) // 8)), (1, 2, 5) if high - low < 2 else (1,))
    for every, steps in _TICK_CANDIDATES:
        ticks = ticks_at(every, steps)
        gap = min(np.diff(np.log10(ticks)), default=math.inf) / (high - low) * inches
        if gap >= (text_width([tick_label(t) for t in ticks], PRINT_FONT) if horizontal else 0.17):
            break
    return ticks


def text_width(labels: Sequence[str], font: float) -> float:
    """Return the width in inches of the longest label with a blank; some letters count as narrow."""
    narrow = " .,;:·*/ijlt⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
    longest = max((sum(0.4 if c in narrow else 0.64 for c in label) for label in labels), default=0.0)
    return longest * font / 72 + 0.05


def tick_label(value: float) -> str:
    """Return a number as a tick label: 0, 0.3, 20, 10⁻⁴, 2·10⁵."""
    if value == 0:
        return "0"
    if 0.001 <= value < 1e4 and value == float(f"{value:.3g}"):
        return f"{value:g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    power = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if math.isclose(factor, 1.0, rel_tol=5e-3) else f"{factor:.2g}·{power}"
