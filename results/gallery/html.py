"""The gallery as one HTML page."""

import base64
from pathlib import Path

from markupsafe import Markup

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
from results.pages.markup import ABSENT_SIGN, badge, format_remark, format_text, render
from results.pages.tables import Column, render_table

_FINDING_CLASSES = ("claim", "value", "value estimate", "verdict", "why")  # of the columns of findings
_MARK = Markup('<span class="mark {}" title="{}">{}</span>')


def render_html(records: Records, folder: Path) -> str:
    """Return the gallery as one HTML page that loads nothing: styles and pictures are inside.

    Args:
        records: All records, by figure and scale.
        folder: The folder that holds their pictures.
    """
    return render(
        Path(__file__).with_name("gallery.html"),
        title="The whole paper, figure by figure",
        introduction=INTRODUCTION,
        counts=count_sentence(records),
        exhibits=[_exhibit(figure, records, folder) for figure in EXHIBITS],
        introduction_beyond=BEYOND_THE_PAPER,
        exhibits_beyond=[_exhibit(figure, records, folder) for figure in BEYOND],
    )


def _exhibit(figure: str, records: Records, folder: Path) -> dict[str, object]:
    """Return what the page shows of a figure: its row of the contents, its assertion, its records."""
    exhibit = ALL_EXHIBITS[figure]
    missing = missing_note(figure, records)
    return {
        "anchor": exhibit.anchor,
        "label": exhibit.label,
        "title": exhibit.title,
        "cells": [
            {"kind": "marks", "content": _marks(records[figure, scale], exhibit)}
            if (figure, scale) in records
            else {"kind": "absent", "content": no_record_note(figure, scale)}
            for scale in exhibit.scales
        ],
        "level": exhibit.heading_level,
        "heading": exhibit.heading,
        "assertion": exhibit.assertion,
        "source": exhibit.source,
        "printed_numbers": exhibit.printed_numbers,
        "advice": exhibit.advice,
        "missing": missing,
        "commands": commands_to_run(exhibit) if missing else [],
        "records": [_record(record, exhibit, folder) for record in records_of(records, figure)],
    }


def _marks(record: Record, exhibit: Exhibit) -> str:
    """Return one symbol for each judged finding, with its words as a title."""
    marks = [
        _MARK.format(f.agrees, f"{f.what}: {exhibit.in_words(f.agrees)}", AGREEMENT_SYMBOLS[f.agrees])
        for f in record.findings
        if f.agrees
    ]
    return Markup(" ").join(marks) or "drawn"


def _record(record: Record, exhibit: Exhibit, folder: Path) -> dict[str, object]:
    """Return what the page shows of a record: picture, facts, commands, findings."""
    grids = {"Grids": ", ".join(f"grids/{record.scale}/{s}.yaml" for s in record.grids)} if record.sweeps else {}
    return {
        "heading": exhibit.scale_heading(record.scale),
        "name": exhibit.name_at(record.scale),
        "picture": base64.b64encode((folder / f"{record.name}.png").read_bytes()).decode(),
        "caption": record.caption,
        "facts": grids | facts_of(record, exhibit),
        "commands": record.commands,
        "findings": _findings(record, exhibit),
    }


def _findings(record: Record, exhibit: Exhibit) -> str:
    """Return the table of a record's findings; empty if it has none."""
    if not record.findings:
        return ""
    columns = [label.capitalize() for label in exhibit.finding_headings]
    fields = [
        Column(label=label, cell=lambda row, label=label: row[label], kind=kind)  # type: ignore[misc]
        for label, kind in zip(columns, _FINDING_CLASSES, strict=True)
    ]
    with_subject = record.has_several_subjects
    rows = [
        dict(zip(columns, _cells(finding, exhibit, with_subject=with_subject), strict=True))
        for finding in record.findings
    ]
    return render_table(f"{record.name}: what was found", fields, rows, kind="verdicts")


def _cells(finding: Finding, exhibit: Exhibit, *, with_subject: bool) -> tuple[str, ...]:
    """Return the cells of one finding, in the order of ``Exhibit.finding_headings``."""
    claim = Markup(" <code>{}</code>").format(finding.claim) if finding.claim else ""
    subject = Markup(' <span class="of">{}</span>').format(finding.of) if with_subject else ""
    agreement = finding.agrees
    return (
        Markup("{}{}{}").format(finding.what, claim, subject),
        format_text(finding.paper),
        value_with_interval(finding),
        badge(agreement, exhibit.in_words(agreement)) if agreement else ABSENT_SIGN,
        format_remark(finding.why),
    )
