"""The section of a report on clocks: the law by each way to read the time at which a run is best."""

from collections.abc import Sequence
from dataclasses import dataclass

from results.claims.clocks import ClockVerdict
from results.pages.markup import POINTS_COLUMN, Column, badge, escape, format_estimate, format_number, render_table


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSection:
    """Content of the section.

    Attributes:
        verdicts: One verdict a clock, the paper's first.
        agreement: Sentence on whether the clocks agree.
        noise: Sentence on the noise of the accuracies.
    """

    verdicts: Sequence[ClockVerdict]
    agreement: str = ""
    noise: str = ""


def render_clocks(section: ClockSection) -> str:
    """Return the section as HTML: its sentences, then a table with a row a clock."""
    if not section.verdicts:
        return '<p class="note">No clock was read.</p>'
    notes = "".join(f"<p>{escape(text)}</p>\n" for text in (section.agreement, section.noise) if text)
    columns = [
        Column(label="Clock", cell=lambda r: f"{escape(r['title'])} <code>{escape(r['clock'])}</code>", kind="claim"),
        Column(label="Law", cell=lambda r: badge(str(r["verdict"]), str(r["verdict"])), kind="verdict"),
        Column(
            label="Exponent of ηλ",
            cell=lambda r: format_estimate(r["exponent"], r["exponent_interval"]),
            kind="value estimate",
        ),
        Column(
            label="κ [interval]", cell=lambda r: format_estimate(r["kappa"], r["kappa_interval"]), kind="value estimate"
        ),
        Column(label="Spread of κ", cell=lambda r: format_number(r["spread"]), kind="value"),
        POINTS_COLUMN,
    ]
    return notes + render_table("Clocks", columns, [verdict.to_json() for verdict in section.verdicts], kind="verdicts")
