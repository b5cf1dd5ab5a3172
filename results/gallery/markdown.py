"""The gallery as Markdown."""

import re
from collections.abc import Iterable, Sequence

from results.gallery.beyond import BEYOND
from results.gallery.exhibits import EXHIBITS, Exhibit
from results.gallery.facts import (
    BEYOND_THE_PAPER,
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
    marks_of,
    missing_note,
    no_record_note,
    of_several_sweeps,
    printed_by_paper,
    records_of,
    scales_of,
)
from results.gallery.records import ENTRIES, FOLDER, SCALES, Record, Scale
from results.pages.markup import ABSENT, remark


def render_markdown(records: Records) -> str:
    """The page for a code host: pictures and grids as links relative to it."""
    return "\n".join(
        [
            "# The whole paper, figure by figure",
            "",
            INTRODUCTION,
            "",
            f"**{counts_of(records)}** Made by `sweeper gallery`, which is also how a sweep of yours gets in; "
            "[the same as one page of HTML](gallery.html).",
            "",
            *_md_table(
                ("figure", "what it is about", *SCALES.values()),
                [[_md_link(e), e.title, *_md_stand(figure, records)] for figure, e in EXHIBITS.items()],
            ),
            "",
            *_md_table(
                ("beyond the paper", "what it is about", "found"),
                [[_md_link(e), e.title, *_md_stand(figure, records)] for figure, e in BEYOND.items()],
            ),
            "",
            *(line for figure, exhibit in EXHIBITS.items() for line in _md_exhibit(figure, exhibit, records)),
            "## Beyond the paper",
            "",
            BEYOND_THE_PAPER,
            "",
            *(line for figure, exhibit in BEYOND.items() for line in _md_exhibit(figure, exhibit, records)),
        ]
    )


def _md_link(exhibit: Exhibit) -> str:
    return f"[{exhibit.label}](#{anchor_of(exhibit)})"


def _md_stand(figure: str, records: Records) -> list[str]:
    return [
        marks_of(records[figure, scale]) if (figure, scale) in records else no_record_note(figure, scale)
        for scale in scales_of(ENTRIES[figure])
    ]


def _md_exhibit(figure: str, exhibit: Exhibit, records: Records) -> Iterable[str]:
    level = "###" if exhibit.beyond else "##"
    yield from (
        f"{level} {heading_of(exhibit)}",
        "",
        f"**{exhibit.title}.** {exhibit.source}:",
        "",
        f"> {exhibit.says}",
        "",
    )
    if exhibit.prints or not exhibit.beyond:
        yield from (f"{'Its' if exhibit.beyond else 'The paper’s'} numbers: {printed_by_paper(exhibit)}.", "")
    if exhibit.advice:
        yield from (f"**For your λ:** {exhibit.advice}", "")
    if standing := missing_note(figure, records):
        how = " and ".join(f"`{command}`" for command in commands_to_run(exhibit))
        grids = ", ".join(_md_grid(scales_of(exhibit)[0], stem) for stem in exhibit.grids)
        yield from (f"**{standing}**" + (f" {how}; cost at the top of {grids}." if exhibit.grids else ""), "")
    for record in records_of(records, figure):
        yield from _md_record(record, exhibit)


def _md_record(record: Record, exhibit: Exhibit) -> Iterable[str]:
    alt = re.sub(r"[\[\]|]", "", record.caption)
    if not exhibit.beyond:
        yield from (f"**{SCALES[record.scale].capitalize()}**", "")
    yield from (f"![{alt_text(record, exhibit)}: {alt}]({FOLDER}/{record.name}.png)", "")
    grids = {"Grids": ", ".join(_md_grid(record.scale, stem) for stem in grids_of(record))} if record.sweeps else {}
    commands = {"Commands": "<br>".join(f"`{command}`" for command in record.commands)}
    facts = grids | {key: _md_text(value) for key, value in facts_of(record, exhibit).items()} | commands
    yield from (*_md_table(("", ""), facts.items()), "")
    if record.findings:
        rows = [
            [
                _md_text(f.what)
                + (f" `{f.claim}`" if f.claim else "")
                + (f" of {f.of}" if of_several_sweeps(record) else ""),
                *(_md_text(part) for part in (f.paper or ABSENT, finding_value(f))),
                f"{MARK_SYMBOLS[f.agrees]} {mark_in_words(f.agrees, exhibit)}".strip(),
                _md_text(f.why),
            ]
            for f in record.findings
        ]
        yield from (*_md_table(finding_headings(exhibit), rows), "")


def _md_grid(scale: Scale, stem: str) -> str:
    return f"[{stem}](../grids/{scale}/{stem}.yaml)"


def _md_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _md_text(value: str) -> str:
    """Plain text in a cell: what Markdown or HTML would read otherwise is escaped."""
    return re.sub(r"([|*_`\[\]])", r"\\\1", remark(value))
