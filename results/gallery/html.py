"""The gallery as one HTML page."""

import base64
from importlib import resources
from pathlib import Path
from string import Template

from results.gallery.beyond import BEYOND
from results.gallery.exhibits import EXHIBITS, Exhibit
from results.gallery.facts import (
    BEYOND_THE_PAPER,
    FINDING_KINDS,
    INTRODUCTION,
    MARK_SYMBOLS,
    Records,
    alt_text,
    anchor_of,
    commands_to_run,
    counts_of,
    facts_of,
    finding_headings,
    finding_value,
    grids_of,
    heading_of,
    mark_in_words,
    missing_note,
    no_record_note,
    of_several_sweeps,
    printed_by_paper,
    records_of,
    scales_of,
)
from results.gallery.records import ENTRIES, SCALES, Finding, Record
from results.pages.markup import ABSENT, Field, badge, remark, table, text


def render_html(records: Records, folder: Path) -> str:
    """The page that stands alone: styles and pictures inside, nothing to load.

    Args:
        records: of ``results.gallery.records.read_records``.
        folder: where their pictures lie.
    """
    page = Template(resources.files("results.gallery").joinpath("gallery.html").read_text(encoding="utf-8"))
    return page.substitute(
        css=resources.files("results.pages").joinpath("report.css").read_text(encoding="utf-8").strip(),
        introduction=text(INTRODUCTION),
        counts=text(counts_of(records)),
        contents="\n".join(_contents(figure, exhibit, records) for figure, exhibit in EXHIBITS.items()),
        contents_beyond="\n".join(_contents(figure, exhibit, records) for figure, exhibit in BEYOND.items()),
        exhibits="\n".join(_exhibit(figure, exhibit, records, folder) for figure, exhibit in EXHIBITS.items()),
        introduction_beyond=text(BEYOND_THE_PAPER),
        exhibits_beyond="\n".join(_exhibit(figure, exhibit, records, folder) for figure, exhibit in BEYOND.items()),
    )


def _contents(figure: str, exhibit: Exhibit, records: Records) -> str:
    cells = "".join(
        f'<td class="{"marks" if (figure, scale) in records else "absent"}">'
        f"{_mark_row(records[figure, scale]) if (figure, scale) in records else no_record_note(figure, scale)}</td>"
        for scale in scales_of(exhibit)
    )
    link = f'<a href="#{anchor_of(exhibit)}">{text(exhibit.label)}</a>'
    return f'<tr><th scope="row">{link}</th><td>{text(exhibit.title)}</td>{cells}</tr>'


def _mark_row(record: Record) -> str:
    exhibit, judged = ENTRIES[record.figure], [finding for finding in record.findings if finding.agrees]
    return (
        " ".join(
            f'<span class="mark {f.agrees}" title="{text(f.what)}: {mark_in_words(f.agrees, exhibit)}">'
            f"{MARK_SYMBOLS[f.agrees]}</span>"
            for f in judged
        )
        or "drawn"
    )


def _exhibit(figure: str, exhibit: Exhibit, records: Records, folder: Path) -> str:
    anchor = anchor_of(exhibit)
    standing = missing_note(figure, records)
    if standing and exhibit.grids:
        standing += " " + " ".join(f"<code>{text(command)}</code>" for command in commands_to_run(exhibit))
    note = f'<p class="standing">{standing}</p>\n' if standing else ""
    level = "h3" if exhibit.beyond else "h2"
    numbers = f" Its numbers: {text(printed_by_paper(exhibit))}." if exhibit.prints or not exhibit.beyond else ""
    advice = f"<p><strong>For your λ:</strong> {text(exhibit.advice)}</p>\n" if exhibit.advice else ""
    body = "\n".join(_record(record, exhibit, folder) for record in records_of(records, figure))
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
        f'<{level} id="{anchor}-title">{text(heading_of(exhibit))}: {text(exhibit.title)}</{level}>\n'
        f"<blockquote><p>{text(exhibit.says)}</p><footer>{text(exhibit.source)}.{numbers}</footer></blockquote>\n"
        f"{advice}{note}{body}\n</section>"
    )


def _record(record: Record, exhibit: Exhibit, folder: Path) -> str:
    scale = "" if exhibit.beyond else f"<h3>{SCALES[record.scale].capitalize()}</h3>\n"
    picture = base64.b64encode((folder / f"{record.name}.png").read_bytes()).decode()
    grids = {"Grids": ", ".join(f"grids/{record.scale}/{s}.yaml" for s in grids_of(record))} if record.sweeps else {}
    facts = "".join(
        f'<tr><th scope="row">{text(key)}</th><td>{text(value)}</td></tr>'
        for key, value in (grids | facts_of(record, exhibit)).items()
    )
    commands = "\n".join(text(command) for command in record.commands)
    return (
        f'{scale}<div class="entry">\n<figure>\n<div class="card">'
        f'<img alt="{text(alt_text(record, exhibit))}" src="data:image/png;base64,{picture}"></div>\n'
        f"<figcaption>{text(record.caption)}</figcaption>\n</figure>\n"
        f'<div class="scroll facts"><table>\n{facts}\n'
        f'<tr><td colspan="2"><pre><code>{commands}</code></pre></td></tr>\n'
        f"</table></div>\n</div>\n{_findings(record, exhibit)}"
    )


def _findings(record: Record, exhibit: Exhibit) -> str:
    if not record.findings:
        return ""
    columns = [label.capitalize() for label in finding_headings(exhibit)]
    fields = [
        Field(label=label, cell=lambda row, label=label: str(row[label]), kind=kind)  # type: ignore[misc]
        for label, kind in zip(columns, FINDING_KINDS, strict=True)
    ]
    several = of_several_sweeps(record)
    rows = [dict(zip(columns, _cells(finding, exhibit, several=several), strict=True)) for finding in record.findings]
    return table(f"{record.name}: what was found", fields, rows, kind="verdicts")


def _cells(finding: Finding, exhibit: Exhibit, *, several: bool) -> tuple[str, ...]:
    """One finding as the HTML of its cells."""
    claim = f" <code>{text(finding.claim)}</code>" * bool(finding.claim)
    of = f' <span class="of">{text(finding.of)}</span>' * several
    mark = finding.agrees
    return (
        text(finding.what) + claim + of,
        text(finding.paper),
        finding_value(finding),
        badge(mark, mark_in_words(mark, exhibit)) if mark else ABSENT,
        remark(finding.why),
    )
