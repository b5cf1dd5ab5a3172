"""The section of a report on clocks: the law by each way to read the time at which a run is best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from markupsafe import Markup

from results.claims.clocks import ClockVerdict
from results.pages.markup import badge, format_estimate, format_number, format_remark, render_own
from results.pages.tables import POINTS_COLUMN, Column, render_table


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSection:
    """Content of the section.

    Attributes:
        verdicts: One verdict a clock, the paper's first.
        agreement: Sentence on whether the clocks agree.
        noise: Sentence on the noise of the accuracies.
        times: Clock to the table of peaks with its times, for clocks other than t* that are read off single points.
    """

    verdicts: Sequence[ClockVerdict]
    agreement: str = ""
    noise: str = ""
    times: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def render_clocks(section: ClockSection) -> Markup:
    """Return the section as HTML: its sentences, then a table with a row a clock."""
    if not section.verdicts:
        return Markup('<p class="note">No clock was read.</p>')
    title = Markup("{} <code>{}</code>")
    columns = [
        Column(
            label="Clock",
            title="way to read the time at which a run is best",
            cell=lambda r: title.format(r["title"], r["clock"]),
            kind="claim",
        ),
        Column(
            label="Law",
            title="whether the exponent is −1 ± 0.1",
            cell=lambda r: badge(str(r["verdict"]), str(r["verdict"])),
            kind="verdict",
        ),
        Column(
            label="Exponent of ηλ",
            title="slope of log time against log ηλ/(1−μ), with its 95 % interval",
            cell=lambda r: format_estimate(r["exponent"], r["exponent_interval"]),
            kind="value estimate",
        ),
        Column(
            label="κ [interval]",
            title="decay time at that time, geometric mean over points, with its 95 % interval",
            cell=lambda r: format_estimate(r["kappa"], r["kappa_interval"]),
            kind="value estimate",
        ),
        Column(
            label="Spread of κ",
            title="geometric standard deviation of κ over points",
            cell=lambda r: format_number(r["spread"]),
            kind="value",
        ),
        POINTS_COLUMN,
    ]
    table = render_table("Clocks", columns, [verdict.to_json() for verdict in section.verdicts], kind="verdicts")
    return render_own(
        "clocks.html", agreement=format_remark(section.agreement), noise=format_remark(section.noise), table=table
    )
