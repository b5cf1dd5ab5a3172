"""The gallery as Markdown."""

import html
import re
from collections.abc import Iterable, Sequence

from results.gallery.beyond import BEYOND
from results.gallery.exhibit import Exhibit
from results.gallery.exhibits import ALL_EXHIBITS, EXHIBITS
from results.gallery.facts import (
    AGREEMENT_SYMBOLS,
    BEYOND_THE_PAPER,
    INTRODUCTION,
    agreement_symbols,
    commands_to_run,
    count_sentence,
    facts_of,
    missing_note,
    no_record_note,
    records_of,
    value_with_interval,
)
from results.gallery.record_files import FOLDER
from results.gallery.records import SCALES, Finding, Record, Records, Scale
from results.pages.markup import ABSENT_SIGN, format_remark


def render_markdown(records: Records) -> str:
    """Return the gallery as a Markdown page; pictures and grids are relative links."""
    return "\n".join(
        [
            "# The whole paper, figure by figure",
            "",
            INTRODUCTION,
            "",
            f"**{count_sentence(records)}** `sweeper gallery` makes this page and adds your own sweeps to it. "
            "[The same as one HTML page](gallery.html).",
            "",
            *_table(
                ("figure", "subject", *SCALES.values()),
                [_contents_row(figure, records) for figure in EXHIBITS],
            ),
            "",
            *_table(
                ("beyond the paper", "subject", "found"),
                [_contents_row(figure, records) for figure in BEYOND],
            ),
            "",
            *(line for figure in EXHIBITS for line in _section(figure, records)),
            "## Beyond the paper",
            "",
            BEYOND_THE_PAPER,
            "",
            *(line for figure in BEYOND for line in _section(figure, records)),
        ]
    )


def _contents_row(figure: str, records: Records) -> list[str]:
    """Return the row of a figure in the table of contents."""
    exhibit = ALL_EXHIBITS[figure]
    symbols = [
        agreement_symbols(records[figure, scale]) if (figure, scale) in records else no_record_note(figure, scale)
        for scale in exhibit.scales
    ]
    return [f"[{exhibit.label}](#{exhibit.anchor})", exhibit.title, *symbols]


def _section(figure: str, records: Records) -> Iterable[str]:
    """Yield the lines of a figure: its assertion, then its records."""
    exhibit = ALL_EXHIBITS[figure]
    yield from (
        f"{'#' * exhibit.heading_level} {exhibit.heading}",
        "",
        f"**{exhibit.title}.** {exhibit.source}:",
        "",
        f"> {exhibit.assertion}",
        "",
    )
    if exhibit.printed_numbers:
        yield from (f"Printed numbers: {exhibit.printed_numbers}.", "")
    if exhibit.advice:
        yield from (f"**For your λ:** {exhibit.advice}", "")
    if note := missing_note(figure, records):
        how = " and ".join(f"`{command}`" for command in commands_to_run(exhibit))
        grids = ", ".join(_grid_link(exhibit.scales[0], stem) for stem in exhibit.grids)
        yield from (f"**{note}**" + (f" {how}; the cost is noted at the top of {grids}." if exhibit.grids else ""), "")
    for record in records_of(records, figure):
        yield from _record(record, exhibit)


def _record(record: Record, exhibit: Exhibit) -> Iterable[str]:
    """Yield the lines of a record: picture, facts, commands, findings."""
    if heading := exhibit.scale_heading(record.scale):
        yield from (f"**{heading}**", "")
    alternative = re.sub(r"[\[\]|]", "", record.caption)
    yield from (f"![{exhibit.name_at(record.scale)}: {alternative}]({FOLDER}/{record.name}.png)", "")
    grids = {"Grids": ", ".join(_grid_link(record.scale, stem) for stem in record.grids)} if record.sweeps else {}
    commands = {"Commands": "<br>".join(f"`{command}`" for command in record.commands)}
    facts = grids | {key: _escape(value) for key, value in facts_of(record, exhibit).items()} | commands
    yield from (*_table(("", ""), facts.items()), "")
    if record.findings:
        rows = [_finding_row(finding, record, exhibit) for finding in record.findings]
        yield from (*_table(exhibit.finding_headings, rows), "")


def _finding_row(finding: Finding, record: Record, exhibit: Exhibit) -> list[str]:
    """Return the cells of one finding, in the order of ``Exhibit.finding_headings``."""
    claim = f" `{finding.claim}`" if finding.claim else ""
    subject = f" of {finding.of}" if record.has_several_subjects else ""
    return [
        _escape(finding.what) + claim + subject,
        _escape(finding.paper or ABSENT_SIGN),
        _escape(value_with_interval(finding)),
        f"{AGREEMENT_SYMBOLS[finding.agrees]} {exhibit.in_words(finding.agrees)}".strip(),
        _escape(finding.why),
    ]


def _grid_link(scale: Scale, stem: str) -> str:
    """Return a link to a grid of the project."""
    return f"[{stem}](../grids/{scale}/{stem}.yaml)"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows)]


def _escape(value: str) -> str:
    """Escape characters of plain text that Markdown or HTML would interpret."""
    return re.sub(r"([|*_`\[\]])", r"\\\1", html.escape(format_remark(value)))
