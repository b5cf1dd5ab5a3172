"""The gallery as one HTML page."""

import base64
from pathlib import Path

from results.gallery.beyond import BEYOND
from results.gallery.exhibit import Exhibit
from results.gallery.exhibits import ALL_EXHIBITS, EXHIBITS
from results.gallery.facts import (
    AGREEMENT_SYMBOLS,
    BEYOND_THE_PAPER,
    INTRODUCTION,
    commands_to_run,
    count_sentence,
    facts_of,
    missing_note,
    no_record_note,
    records_of,
    value_with_interval,
)
from results.gallery.records import Finding, Record, Records
from results.pages.markup import ABSENT_SIGN, Column, badge, escape, escape_remark, fill_page, render_table

_FINDING_CLASSES = ("claim", "value", "value estimate", "verdict", "why")  # of the columns of findings


def render_html(records: Records, folder: Path) -> str:
    """Return the gallery as one HTML page that loads nothing: styles and pictures are inside.

    Args:
        records: All records, by figure and scale.
        folder: The folder that holds their pictures.
    """
    return fill_page(
        Path(__file__).with_name("gallery.html"),
        introduction=escape(INTRODUCTION),
        counts=escape(count_sentence(records)),
        contents="\n".join(_contents_row(figure, records) for figure in EXHIBITS),
        contents_beyond="\n".join(_contents_row(figure, records) for figure in BEYOND),
        exhibits="\n".join(_section(figure, records, folder) for figure in EXHIBITS),
        introduction_beyond=escape(BEYOND_THE_PAPER),
        exhibits_beyond="\n".join(_section(figure, records, folder) for figure in BEYOND),
    )


def _contents_row(figure: str, records: Records) -> str:
    """Return the row of a figure in the table of contents."""
    exhibit = ALL_EXHIBITS[figure]
    cells = "".join(
        f'<td class="{"marks" if (figure, scale) in records else "absent"}">'
        f"{_badges(records[figure, scale], exhibit) if (figure, scale) in records else no_record_note(figure, scale)}"
        "</td>"
        for scale in exhibit.scales
    )
    link = f'<a href="#{exhibit.anchor}">{escape(exhibit.label)}</a>'
    return f'<tr><th scope="row">{link}</th><td>{escape(exhibit.title)}</td>{cells}</tr>'


def _badges(record: Record, exhibit: Exhibit) -> str:
    """Return one symbol for each judged finding, with its words as a title."""
    badges = (
        f'<span class="mark {f.agrees}" title="{escape(f.what)}: {exhibit.in_words(f.agrees)}">'
        f"{AGREEMENT_SYMBOLS[f.agrees]}</span>"
        for f in record.findings
        if f.agrees
    )
    return " ".join(badges) or "drawn"


def _section(figure: str, records: Records, folder: Path) -> str:
    """Return the section of a figure: its assertion, then its records."""
    exhibit = ALL_EXHIBITS[figure]
    note = missing_note(figure, records)
    if note and exhibit.grids:
        note += " " + " ".join(f"<code>{escape(command)}</code>" for command in commands_to_run(exhibit))
    status = f'<p class="standing">{note}</p>\n' if note else ""
    level, anchor = f"h{exhibit.heading_level}", exhibit.anchor
    numbers = f" Printed numbers: {escape(exhibit.printed_numbers)}." if exhibit.printed_numbers else ""
    advice = f"<p><strong>For your λ:</strong> {escape(exhibit.advice)}</p>\n" if exhibit.advice else ""
    body = "\n".join(_record(record, exhibit, folder) for record in records_of(records, figure))
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
        f'<{level} id="{anchor}-title">{escape(exhibit.heading)}: {escape(exhibit.title)}</{level}>\n'
        f"<blockquote><p>{escape(exhibit.assertion)}</p><footer>{escape(exhibit.source)}.{numbers}</footer></blockquote>\n"
        f"{advice}{status}{body}\n</section>"
    )


def _record(record: Record, exhibit: Exhibit, folder: Path) -> str:
    """Return a record: picture, facts, commands, findings."""
    heading = exhibit.scale_heading(record.scale)
    scale = f"<h3>{heading}</h3>\n" if heading else ""
    picture = base64.b64encode((folder / f"{record.name}.png").read_bytes()).decode()
    grids = {"Grids": ", ".join(f"grids/{record.scale}/{s}.yaml" for s in record.grids)} if record.sweeps else {}
    facts = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in (grids | facts_of(record, exhibit)).items()
    )
    commands = "\n".join(escape(command) for command in record.commands)
    return (
        f'{scale}<div class="entry">\n<figure>\n<div class="card">'
        f'<img alt="{escape(exhibit.name_at(record.scale))}" src="data:image/png;base64,{picture}"></div>\n'
        f"<figcaption>{escape(record.caption)}</figcaption>\n</figure>\n"
        f'<div class="scroll facts"><table>\n{facts}\n'
        f'<tr><td colspan="2"><pre><code>{commands}</code></pre></td></tr>\n'
        f"</table></div>\n</div>\n{_findings(record, exhibit)}"
    )


def _findings(record: Record, exhibit: Exhibit) -> str:
    """Return the table of a record's findings; empty if it has none."""
    if not record.findings:
        return ""
    columns = [label.capitalize() for label in exhibit.finding_headings]
    fields = [
        Column(label=label, cell=lambda row, label=label: str(row[label]), kind=kind)  # type: ignore[misc]
        for label, kind in zip(columns, _FINDING_CLASSES, strict=True)
    ]
    with_subject = record.has_several_subjects
    rows = [
        dict(zip(columns, _cells(finding, exhibit, with_subject=with_subject), strict=True))
        for finding in record.findings
    ]
    return render_table(f"{record.name}: what was found", fields, rows, kind="verdicts")


def _cells(finding: Finding, exhibit: Exhibit, *, with_subject: bool) -> tuple[str, ...]:
    """Return the cells of one finding as HTML, in the order of ``Exhibit.finding_headings``."""
    claim = f" <code>{escape(finding.claim)}</code>" * bool(finding.claim)
    subject = f' <span class="of">{escape(finding.of)}</span>' * with_subject
    agreement = finding.agrees
    return (
        escape(finding.what) + claim + subject,
        escape(finding.paper),
        value_with_interval(finding),
        badge(agreement, exhibit.in_words(agreement)) if agreement else ABSENT_SIGN,
        escape_remark(finding.why),
    )
