"""Numbers of a report's points that its script shows, and the controls that it works."""

import math
from collections.abc import Sequence

import pandas as pd

from results.analysis.clocks.reading import PAPER_CLOCK
from results.pages.axes import MAX_ROWS, axis_label, axis_names, to_rows
from results.pages.clocks import ClockSection
from results.pages.markup import format_metric, format_number
from results.pages.points import format_bound, order_points
from results.pages.tables import Row
from search_spaces.sections.metric import TEST_ACCURACY, Metric

MAX_POINTS = 2_000  # of which the script knows; a figure names no more marks


def explore(
    peaks: pd.DataFrame, clocks: ClockSection, curves: Sequence[str], metric: Metric = TEST_ACCURACY
) -> dict[str, object]:
    """Return what the script knows, ready for JSON; empty without points.

    Texts are formatted here, so that a number has the same form wherever it stands.

    Args:
        peaks: One row a point.
        clocks: The clocks, with the times of those other than t*.
        curves: Points whose curves are drawn. Of a larger sweep the script knows these and those of the table alone.
        metric: The quantity by which points are judged.
    """
    if peaks.empty or not {"point", "eta", "lam"} <= set(peaks.columns):
        return {}
    ordered = order_points(peaks)
    if len(ordered) > MAX_POINTS:
        ordered = pd.concat([ordered.iloc[:MAX_ROWS], ordered.iloc[MAX_ROWS:].query("point in @curves")])
    axes = [name for name in axis_names(ordered) if name in {"eta", "lam"} or ordered[name].nunique() > 1]
    known = set(ordered["point"])
    titles = {verdict.clock: verdict for verdict in clocks.verdicts}
    tables = {PAPER_CLOCK: ordered} | {name: times for name, times in clocks.times.items() if name in titles}
    return {
        "labels": [*map(axis_label, axes), metric.title],
        "points": {str(row["point"]): _point(row, axes, metric) for row in to_rows(ordered)},
        "clocks": {
            name: {
                "title": titles[name].title if name in titles else "t*",
                "kappa": [titles[name].kappa, *(titles[name].kappa_interval or ())] if name in titles else [],
                "times": {str(row["point"]): _time(row) for row in to_rows(table[table["point"].isin(known)])},
            }
            for name, table in tables.items()
        },
        "etas": _values(ordered, "eta"),
        "lams": _values(ordered, "lam"),
    }


def _point(row: Row, axes: Sequence[str], metric: Metric) -> dict[str, object]:
    """Return η, λ and the texts of a point."""
    texts = [*(format_number(row[name]) for name in axes), format_metric(row.get(metric.best), metric)]
    return {"eta": row["eta"], "lam": row["lam"], "texts": texts}


def _time(row: Row) -> list[object]:
    """Return the time of a point by one clock, in epochs and as a decay time: two texts and two numbers for sorting.

    The fifth entry is whether both are only lower bounds.
    """
    numbers = [row.get(name) for name in ("t_star", "kappa")]
    exact = [float(f"{x:.6g}") if isinstance(x, float) and math.isfinite(x) else None for x in numbers]
    return [format_bound(row, "t_star"), format_bound(row, "kappa"), *exact, bool(row.get("censored"))]


def _values(peaks: pd.DataFrame, axis: str) -> list[tuple[float, str]]:
    """Return the values of an axis, ascending, with their texts."""
    return [(float(value), format_number(float(value))) for value in sorted(peaks[axis].dropna().unique())]
