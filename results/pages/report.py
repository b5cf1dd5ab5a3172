"""The report of a sweep: one HTML page that stands alone, verdicts first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from results.analysis.segments import extra_axes
from results.claims.judge import CLAIMS_BY_NAME
from results.claims.verdict import Verdict
from results.claims.winner import Winner
from results.figures.drawing import Rendered
from results.figures.sweep_data import LawLine
from results.pages.clocks import ClockSection, render_clocks
from results.pages.markup import (
    ABSENT_SIGN,
    POINTS_COLUMN,
    RULING_SYMBOLS,
    Column,
    badge,
    escape,
    escape_remark,
    fill_page,
    format_accuracy,
    format_estimate,
    format_metric,
    format_number,
    render_panels,
    render_table,
)
from results.settling.choice import WayOut
from search_spaces.errors import counted
from search_spaces.outcome import TRAINED
from search_spaces.sections.metric import TEST_ACCURACY, Metric

MAX_UNFOLDED_ROWS = 60  # a longer table of points is folded
MAX_ROWS = 300  # of any table: a page of 10,000 points would take 10 MB and respond slowly
FIGURE_FOLDER = "analysis/figures"  # in the directory of the sweep
# Seven set-ups of 15 to 60 seeds: a standard deviation of 0.15 to 0.35 in log κ and of 0.03 to 0.1 in the exponent.
_ONE_SEED = (
    " All points have one seed: the intervals say nothing about other seeds. In networks 64 units wide seeds differ by "
    "a quarter in κ and by up to 0.1 in the exponent."
)
_NON_AXIS_COLUMNS = (
    *(
        "in_law",
        "budget_at",
        "peak_at",
        "lam_tuned",
        "lam_tuned_low",
        "lam_tuned_high",
        "lams",
        "lam_min",
        "lam_max",
        "acc_tuned",
        "acc_zero",
    ),
    *("probe_points", "c", "lam_pred", "acc_pred", "gap", "ratio"),
)  # columns of tables of peaks and predictions that are no axis of the grid
_AXIS_LABELS = {"eta": "η", "lam": "λ", "mu": "μ", "budget": "T (epochs)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """What a report shows.

    Attributes:
        title: Name of the sweep.
        winner: The best setting; None without one.
        facts: Texts about the run by label, in order: the grid as YAML, versions, machine, wall time.
        verdicts: One verdict a claim, in the order of the page.
        ways_out: Inconclusive claim to what would settle it.
        clocks: The law by each clock.
        figures: The rendered drawings.
        peaks: One row a point.
        prediction: One row per η and budget.
        law: The fit named in the headline; None if there is none.
        metric: The quantity by which points are judged.
    """

    title: str
    winner: Winner | None
    facts: Mapping[str, str]
    verdicts: Sequence[Verdict]
    ways_out: Mapping[str, WayOut]
    clocks: ClockSection
    figures: Sequence[Rendered]
    peaks: pd.DataFrame
    prediction: pd.DataFrame
    law: LawLine | None = None
    metric: Metric = TEST_ACCURACY


def render_report(content: ReportContent) -> str:
    """Return the report of a sweep as one HTML text that loads nothing: style and drawings are inside."""
    return fill_page(
        Path(__file__).with_name("report.html"),
        title=escape(content.title),
        winner=_winner(content.winner),
        headline=_headline(content.verdicts, content.law),
        counts=_counts(content.peaks),
        verdicts=_verdict_table(content.verdicts, content.ways_out),
        clocks=render_clocks(content.clocks),
        figures="\n".join(map(_figure, content.figures)) or '<p class="note">No figure was drawn.</p>',
        prediction=_prediction_table(content.prediction, content.metric),
        points=_points_section(content.peaks, content.metric),
        facts=_facts_list(content.facts),
    )


def _winner(winner: Winner | None) -> str:
    """Return the best setting as the first line of the page, with what stands beside it and what to do next."""
    if winner is None:
        return '<p class="counts">No point has trained as meant.</p>'
    beside = winner.comparisons()
    if winner.equals:
        beside.append(f"within its standard error: {counted(winner.equals, 'other setting')}")
    details = f"{'; '.join(beside)}. {winner.next_step}" if beside else winner.next_step
    return f'<p class="headline">Best: {escape(winner.summary())}</p>\n<p class="counts">{escape(details)}</p>'


def _headline(verdicts: Sequence[Verdict], law: LawLine | None) -> str:
    """Return one sentence: the law found and how many claims hold."""
    if law is None:
        found = "No law could be fitted"
    else:
        found = f"t* ∝ (ηλ)<sup>{format_number(round(law.slope, 2))}</sup>"
        if math.isfinite(law.kappa):
            found += f", κ = {format_estimate(law.kappa, (law.kappa_low, law.kappa_high), digits=2)}"
    count = {kind: sum(v.verdict == kind for v in verdicts) for kind in RULING_SYMBOLS}
    asked = sum(count.values())
    if not asked:
        return f"{found}; no claim was judged."
    parts = [f"{count['pass']} of {counted(asked, 'claim')} pass" + ("es" if asked == 1 else "")]
    if count["fail"]:
        parts.append(f"{count['fail']} fail" + ("s" if count["fail"] == 1 else ""))
    if count["inconclusive"]:
        parts.append(f"{count['inconclusive']} inconclusive")
    return f"{found}; {', '.join(parts)}."


def _counts(peaks: pd.DataFrame) -> str:
    """Return the number of points by outcome, and what a single seed means for the intervals."""
    if peaks.empty or "outcome" not in peaks:
        return "No point has been measured."
    parts = [f"{n} {escape(outcome)}" for outcome, n in peaks["outcome"].value_counts().items()]
    censored = int(peaks["censored"].eq(True).sum()) if "censored" in peaks else 0
    one_seed = "seed" in peaks and peaks["seed"].nunique() == 1
    alone = _ONE_SEED if one_seed else ""
    return f"{counted(len(peaks), 'point')}: {', '.join(parts)}; t* is only a lower bound for {censored}.{alone}"


def _verdict_table(verdicts: Sequence[Verdict], ways_out: Mapping[str, WayOut]) -> str:
    """Return the table of the claims that the grid asks about, and a line on the others."""
    asked = [verdict for verdict in verdicts if verdict.verdict != "unasked"]
    others = [f"<code>{escape(v.claim)}</code> ({escape_remark(v.why)})" for v in verdicts if v not in asked]
    line = f'<p class="note">This grid does not ask about {", ".join(others)}.</p>\n' if others else ""
    if not asked:
        return '<p class="note">No claim was judged.</p>' + line
    names = ("claim", "value", "interval", "threshold", "verdict", "points_used", "censored", "why")
    rows = [
        {name: getattr(verdict, name) for name in names} | {"way": ways_out.get(verdict.claim)} for verdict in asked
    ]
    columns = [
        Column(label="Claim", cell=_claim_cell, kind="claim"),
        Column(label="Verdict", cell=lambda r: _verdict_badge(str(r["verdict"])), kind="verdict"),
        Column(
            label="Value [interval]", cell=lambda r: format_estimate(r["value"], r["interval"]), kind="value estimate"
        ),
        Column(label="Threshold", cell=lambda r: escape_remark(r["threshold"]), kind="value"),
        POINTS_COLUMN,
        Column(label="Why, and what would settle it", cell=_why_cell, kind="why"),
    ]
    return render_table("Verdicts", columns, rows, kind="verdicts") + line


def _why_cell(row: Mapping[str, object]) -> str:
    """Return the reason of a verdict, and what would settle an open claim."""
    way = row["way"]
    if not isinstance(way, WayOut):
        return escape_remark(row["why"])
    option = f" <code>{escape(way.option)}</code>" if way.option else ""
    return f"{escape_remark(row['why'])}<br><strong>To settle it:</strong> {escape(str(way))}{option}"


def _claim_cell(row: Mapping[str, object]) -> str:
    """Return the title of a claim, with its name in verdicts.json."""
    name = str(row["claim"])
    claim = CLAIMS_BY_NAME.get(name)
    return f"{escape(claim.title)} <code>{escape(name)}</code>" if claim else escape(name)


def _verdict_badge(verdict: str) -> str:
    """Return the badge of a verdict; an unknown one looks inconclusive."""
    return badge(verdict if verdict in RULING_SYMBOLS else "inconclusive", verdict)


def _figure(drawing: Rendered) -> str:
    """Return a figure with its caption and the names of its files."""
    files = ", ".join(f"<code>{escape(drawing.name)}.{ending}</code>" for ending in ("svg", "png", "csv"))
    return (
        f'<figure>\n<h3>{escape(drawing.title)}</h3>\n<div class="card">\n{render_panels(drawing)}\n</div>\n'
        f"<figcaption>{escape(drawing.caption)}\n"
        f'<span class="files">In <code>{FIGURE_FOLDER}</code>: {files} (the numbers shown).</span></figcaption>\n'
        "</figure>"
    )


def _prediction_table(prediction: pd.DataFrame, metric: Metric) -> str:
    """Return the table of predicted and tuned λ, with notes."""
    if prediction.empty:
        return '<p class="note">No λ was predicted: no budget, or no point to measure c on.</p>'
    scheduled = "peak_at" in prediction and not prediction["peak_at"].equals(prediction["budget_at"])
    varied = [axis for axis in _axis_names(prediction) if axis == "eta" or prediction[axis].nunique() > 1]
    name = "accuracy" if metric.is_accuracy else metric.title
    columns = [
        *(_axis_column(axis) for axis in varied),
        Column(label="T (epochs)", cell=lambda r: format_number(r.get("budget_at"))),
        *([Column(label="T₁ (epochs)", cell=lambda r: format_number(r.get("peak_at")))] if scheduled else []),
        Column(label="c (epochs)", cell=lambda r: format_number(r.get("c"))),
        Column(label="λ_pred", cell=lambda r: format_number(r.get("lam_pred"))),
        Column(label="λ tuned [range]", cell=_tuned_lam_cell),
        Column(label="ratio", cell=lambda r: format_number(r.get("ratio"))),
        Column(label=f"{name} at λ_pred", cell=lambda r: format_metric(r.get("acc_pred"), metric)),
        Column(label="at tuned\u00a0λ", cell=lambda r: format_metric(r.get("acc_tuned"), metric)),
        Column(label="gap", cell=lambda r: format_metric(r.get("gap"), metric)),
        Column(label="at λ\u00a0=\u00a00", cell=lambda r: format_metric(r.get("acc_zero"), metric)),
        Column(label="Note", cell=lambda r: escape_remark(r.get("why")), kind="why"),
    ]
    note = (
        '<p class="note">η follows a schedule: λ_pred = c/T₁, with T₁ the epoch at which η first falls and c measured '
        "before it. Only runs whose own budget is T count.</p>\n"
    )
    rows, rest = _first_rows(prediction, "prediction.parquet")
    return note * scheduled + rest + render_table("Predicted and tuned λ", columns, rows)


def _tuned_lam_cell(row: Mapping[str, object]) -> str:
    """Return the tuned λ, with its range if that holds more than one λ."""
    low, high = row.get("lam_tuned_low"), row.get("lam_tuned_high")
    return format_estimate(row.get("lam_tuned"), None if low == high else (low, high), digits=2)


def _points_section(peaks: pd.DataFrame, metric: Metric) -> str:
    """Return points that did not complete, always visible, then all points, folded if there are many."""
    if peaks.empty:
        return '<p class="note">No point has been measured.</p>'
    axes = _axis_names(peaks)
    constant = [name for name in axes if len(peaks) > 1 and peaks[name].nunique(dropna=False) == 1]
    order = [name for name in ("eta", "lam") if name in peaks]
    shown = [name for name in axes if name not in constant]
    ordered = peaks.sort_values(order, kind="stable") if order else peaks
    values = ", ".join(f"{_axis_label(name)} = {format_number(peaks[name].iloc[0])}" for name in constant)
    note = f'<p class="note">The same for all points: {values}.</p>\n' if constant else ""
    broken = ordered[~ordered["outcome"].isin(TRAINED)] if "outcome" in ordered else ordered
    unfinished = (
        f"<h3>Not completed</h3>\n{_point_table('Points not completed', shown, broken, metric)}\n"
        if len(broken)
        else ""
    )
    all_points = _point_table("All points", shown, ordered, metric)
    if len(ordered) > MAX_UNFOLDED_ROWS:
        count = "all" if len(ordered) <= MAX_ROWS else f"{MAX_ROWS} of"
        all_points = f"<details>\n<summary>Show {count} {len(ordered)} points</summary>\n{all_points}\n</details>"
    return f"{note}{unfinished}<h3>All points</h3>\n{all_points}"


def _first_rows(frame: pd.DataFrame, file: str) -> tuple[list[dict[str, object]], str]:
    """Return the rows that a page can hold, and a note that names the file of the others."""
    rest = f'<p class="note">The first {MAX_ROWS} of {len(frame)} rows; all are in <code>analysis/{file}</code>.</p>\n'
    return _to_records(frame.iloc[:MAX_ROWS]), rest * (len(frame) > MAX_ROWS)


def _point_table(name: str, axes: Sequence[str], points: pd.DataFrame, metric: Metric) -> str:
    """Return a table of points.

    Args:
        name: Content of the table, for screen readers.
        axes: Axes that become columns.
        points: One row a point.
        metric: The quantity by which points are judged.
    """
    rows, rest = _first_rows(points, "peaks.parquet")
    train_accuracy = Column(label="train accuracy", cell=lambda r: format_accuracy(r.get("best_train_acc")))
    columns = [
        *(_axis_column(axis) for axis in axes),
        Column(label="Outcome", cell=lambda r: escape(r.get("outcome")), kind="outcome"),
        Column(label="t* (epochs)", cell=lambda r: _format_bound(r, "t_star")),
        Column(label="κ", cell=lambda r: _format_bound(r, "kappa")),
        Column(label=metric.title, cell=lambda r: format_metric(r.get(metric.best), metric)),
        Column(label="at epoch", cell=lambda r: format_number(r.get("best_epoch"))),
        *([train_accuracy] if metric.is_accuracy or points["best_train_acc"].notna().any() else []),
        Column(label="Note", cell=_note_cell, kind="why"),
    ]
    broken = {"diverged", "failed"}
    return rest + render_table(name, columns, rows, row_kind=lambda r: "broken" if r.get("outcome") in broken else "")


def _axis_names(frame: pd.DataFrame) -> list[str]:
    """Return the axes among the columns: η first, further axes of the grid last."""
    known = ("eta", "lam", "mu", "budget", "seed")
    return [name for name in (*known, *extra_axes(frame)) if name in frame and name not in _NON_AXIS_COLUMNS]


def _axis_column(axis: str) -> Column:
    """Return the column of an axis."""
    return Column(label=_axis_label(axis), cell=lambda row: format_number(row.get(axis)))


def _note_cell(row: Mapping[str, object]) -> str:
    """Return why a point did not complete, and why its t* is only a bound."""
    reasons = [str(row[name]) for name in ("why", "censored_why") if isinstance(row.get(name), str) and row[name]]
    return escape_remark("; ".join(reasons))


def _format_bound(row: Mapping[str, object], name: str) -> str:
    """Return a number, with ≥ if it is only a lower bound."""
    shown = format_number(row.get(name))
    return f"≥ {shown}" if row.get("censored") and shown != ABSENT_SIGN else shown


def _axis_label(axis: str) -> str:
    """Return the heading of an axis."""
    return _AXIS_LABELS.get(axis) or escape(axis)


def _facts_list(facts: Mapping[str, str]) -> str:
    """Return the facts as a list; a text of several lines is preformatted."""
    if not facts:
        return '<p class="note">None were recorded.</p>'
    shown = (
        f"<dt>{escape(name)}</dt><dd><pre><code>{escape(value)}</code></pre></dd>"
        if "\n" in value
        else f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in facts.items()
    )
    return "<dl>\n" + "\n".join(shown) + "\n</dl>"


def _to_records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return one mapping a row."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
