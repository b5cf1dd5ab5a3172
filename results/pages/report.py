"""The report of a sweep: one HTML page that stands alone, verdicts first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from results.claims.judge import CLAIMS_BY_NAME
from results.claims.verdict import Verdict
from results.claims.winner import Winner
from results.figures.drawing import Rendered
from results.figures.sweep_data import LawLine
from results.pages.clocks import ClockSection, render_clocks
from results.pages.explorer import explore
from results.pages.markup import (
    RULING_SYMBOLS,
    badge,
    format_estimate,
    format_number,
    format_remark,
    format_text,
    render_own,
)
from results.pages.panels import render_panels
from results.pages.points import render_points
from results.pages.prediction import render_prediction
from results.pages.tables import POINTS_COLUMN, Column, render_table
from results.settling.choice import WayOut
from search_spaces.errors import counted
from search_spaces.sections.metric import TEST_ACCURACY, Metric

FIGURE_FOLDER = "analysis/figures"  # in the directory of the sweep
# Seven set-ups of 15 to 60 seeds: a standard deviation of 0.15 to 0.35 in log κ and of 0.03 to 0.1 in the exponent.
_ONE_SEED = (
    " All points have one seed: the intervals say nothing about other seeds. In networks 64 units wide seeds differ by "
    "a quarter in κ and by up to 0.1 in the exponent."
)


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
    """Return the report of a sweep as one HTML text that loads nothing: style, script and drawings are inside."""
    asked = [verdict for verdict in content.verdicts if verdict.verdict != "unasked"]
    figures: dict[str, list[tuple[Rendered, Markup]]] = {"collapse": [], "clocks": [], "": []}
    for drawing in content.figures:
        figures.get(drawing.name, figures[""]).append((drawing, render_panels(drawing)))
    return render_own(
        "report.html",
        title=format_text(content.title),
        winner=format_remark(content.winner.summary()) if content.winner else "",
        winner_details=_winner_details(content.winner),
        headline=_headline(content.verdicts, content.law),
        counts=_counts(content.peaks),
        explorer=explore(content.peaks, content.clocks, _points_with_curve(content.figures), content.metric),
        first_figures=figures["collapse"],
        verdicts=_verdict_table(asked, content.ways_out) if asked else "",
        unasked={v.claim: format_remark(v.why) for v in content.verdicts if v not in asked},
        clocks=render_clocks(content.clocks),
        clock_figures=figures["clocks"],
        figures=figures[""],
        figure_folder=FIGURE_FOLDER,
        prediction=render_prediction(content.prediction, content.metric),
        points=render_points(content.peaks, content.metric),
        facts={name: text if "\n" in text else format_remark(text) for name, text in content.facts.items()},
    )


def _points_with_curve(figures: Sequence[Rendered]) -> list[str]:
    """Return the points whose curve is drawn."""
    tables = [drawing.data for drawing in figures if drawing.name == "collapse"]
    return [point for data in tables for point in data.loc[data["panel"] == "curve", "point"].unique()]


def _winner_details(winner: Winner | None) -> str:
    """Return what stands beside the best setting, and what to do next."""
    if winner is None:
        return ""
    beside = winner.comparisons()
    if winner.equals:
        beside.append(f"within its standard error: {counted(winner.equals, 'other setting')}")
    return format_remark(f"{'; '.join(beside)}. {winner.next_step}" if beside else winner.next_step)


def _headline(verdicts: Sequence[Verdict], law: LawLine | None) -> Markup:
    """Return one sentence: the law found and how many claims hold."""
    if law is None:
        found = Markup("No law could be fitted")
    else:
        found = Markup("t* ∝ (ηλ)<sup>{}</sup>").format(format_number(round(law.slope, 2)))
        if math.isfinite(law.kappa):
            found += f", κ = {format_estimate(law.kappa, (law.kappa_low, law.kappa_high))}"
    count = {kind: sum(v.verdict == kind for v in verdicts) for kind in RULING_SYMBOLS}
    asked = sum(count.values())
    if not asked:
        return found + "; no claim was judged."
    parts = [f"{count['pass']} of {counted(asked, 'claim')} pass" + ("es" if asked == 1 else "")]
    if count["fail"]:
        parts.append(f"{count['fail']} fail" + ("s" if count["fail"] == 1 else ""))
    if count["inconclusive"]:
        parts.append(f"{count['inconclusive']} inconclusive")
    return found + f"; {', '.join(parts)}."


def _counts(peaks: pd.DataFrame) -> str:
    """Return the number of points by outcome, and what a single seed means for the intervals."""
    if peaks.empty or "outcome" not in peaks:
        return "No point has been measured."
    parts = [f"{n} {format_text(outcome)}" for outcome, n in peaks["outcome"].value_counts().items()]
    censored = int(peaks["censored"].eq(True).sum()) if "censored" in peaks else 0
    one_seed = "seed" in peaks and peaks["seed"].nunique() == 1
    alone = _ONE_SEED if one_seed else ""
    return f"{counted(len(peaks), 'point')}: {', '.join(parts)}; t* is only a lower bound for {censored}.{alone}"


def _verdict_table(verdicts: Sequence[Verdict], ways_out: Mapping[str, WayOut]) -> Markup:
    """Return the table of the claims that the grid asks about."""
    names = ("claim", "value", "interval", "threshold", "verdict", "points_used", "censored", "why")
    rows = [{name: getattr(v, name) for name in names} | {"way": ways_out.get(v.claim)} for v in verdicts]
    columns = [
        Column(
            label="Claim",
            title="what the law says of the sweep, with its name in verdicts.json",
            cell=_claim_cell,
            kind="claim",
        ),
        Column(
            label="Verdict",
            title="whether the claim holds; inconclusive if the data do not suffice",
            cell=lambda r: _verdict_badge(str(r["verdict"])),
            kind="verdict",
        ),
        Column(
            label="Value [interval]",
            title="the number that is judged, with its 95 % interval or observed range",
            cell=lambda r: format_estimate(r["value"], r["interval"]),
            kind="value estimate",
        ),
        Column(
            label="Threshold",
            title="range of values that pass",
            cell=lambda r: format_remark(r["threshold"]),
            kind="value",
        ),
        POINTS_COLUMN,
        Column(label="Why, and what would settle it", cell=_why_cell, kind="why"),
    ]
    return render_table("Verdicts", columns, rows, kind="verdicts")


def _why_cell(row: Mapping[str, object]) -> str:
    """Return the reason of a verdict, and what would settle an open claim."""
    way, why = row["way"], format_remark(row["why"])
    if not isinstance(way, WayOut):
        return why
    option = Markup(" <code>{}</code>").format(way.option) if way.option else ""
    return Markup("{}<br><strong>To settle it:</strong> {}{}").format(why, format_remark(str(way)), option)


def _claim_cell(row: Mapping[str, object]) -> str:
    """Return the title of a claim, with its name in verdicts.json."""
    name = str(row["claim"])
    claim = CLAIMS_BY_NAME.get(name)
    return Markup("{} <code>{}</code>").format(claim.title, name) if claim else name


def _verdict_badge(verdict: str) -> Markup:
    """Return the badge of a verdict; an unknown one looks inconclusive."""
    return badge(verdict if verdict in RULING_SYMBOLS else "inconclusive", verdict)
