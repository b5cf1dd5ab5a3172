"""The gallery's two pages, Markdown and HTML, from its records alone: every figure of the paper and beyond."""

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template

from results.gallery import ENTRIES, FOLDER, SCALES, Finding, Mark, Record, Scale
from results.pages.markup import ABSENT, SYMBOLS, Field, accuracy, badge, estimate, number, remark, table, text
from results.paper.beyond import BEYOND
from results.paper.exhibits import EXHIBITS, Exhibit

__all__ = ["render_html", "render_markdown"]

Records = Mapping[tuple[str, Scale], Record]

INTRODUCTION = (
    "Every figure of the paper and what this project found of it. Paper scale is the grid as the paper prints it; a "
    "small sibling asks the same question of a smaller network and data set: its exponents, plateaus and verdicts "
    "compare with the paper’s, its accuracies do not. ✓ as the paper says, ✗ not as it says, ? the data do not "
    "suffice to say. Intervals hold 95 % for fitted numbers and means; otherwise they are the range seen."
)
BEYOND_THE_PAPER = (
    "What the paper does not try, asked in its terms: the decay time s = Σηλ/(1−μ), and κ, that at t*. The set-ups are "
    "ours, small ones on digits and MNIST; each says whose statement is put to the test."
)
_SYMBOLS: Mapping[str, str] = SYMBOLS | {"": ""}
_KINDS = ("claim", "value", "value estimate", "verdict", "why")  # of the columns of findings


# ------------------------------------------------------------------------------------------ what is said


def _columns(exhibit: Exhibit) -> tuple[str, ...]:
    """Headings of the columns of findings."""
    said = ("said", "as said?") if exhibit.beyond else ("paper", "as in the paper?")
    return ("found", said[0], "ours [interval]", said[1], "why")


def _word(mark: Mark, exhibit: Exhibit) -> str:
    """A mark in words; empty where nothing is judged."""
    held = "as said" if exhibit.beyond else "as in the paper"
    return {"pass": held, "fail": "not so", "inconclusive": "inconclusive", "": ""}[mark]


def _own(records: Records, figure: str) -> list[Record]:
    """Records of a figure, paper scale first."""
    return [records[figure, scale] for scale in SCALES if (figure, scale) in records]


def _standing(figure: str, records: Records) -> str:
    """What of a figure has not been run; empty if it has at paper scale, or at all where there is no such scale."""
    if (figure, "paper") in records:
        return ""
    if figure in BEYOND:
        return "" if _own(records, figure) else "Not yet run."
    if (figure, "small") in records:
        return "Not yet run at paper scale."
    return "Not yet drawn." if not EXHIBITS[figure].grids else "Not yet run at any scale."


def _absent(figure: str, scale: Scale) -> str:
    """What the contents say where there is no record."""
    if ENTRIES[figure].grids:
        return "not run"
    return "not drawn" if scale == "paper" else ABSENT


def _marks(record: Record) -> str:
    """``✓✓?``, in the order of the findings."""
    return "".join(_SYMBOLS[finding.agrees] for finding in record.findings) or "drawn"


def _counts(records: Records) -> str:
    """How many figures of the paper are drawn and how many statements hold, by scale."""
    parts = []
    for scale, words in {"paper": "at paper scale", "small": "as a small sibling"}.items():
        own = [record for (figure, s), record in records.items() if s == scale and figure in EXHIBITS]
        told = {(f.claim, f.what, f.of, f.agrees) for record in own for f in record.findings}  # figures share claims
        count: Counter[str] = Counter(agrees for *_, agrees in told)
        tally = ", ".join(f"{count[mark]} {symbol}" for mark, symbol in SYMBOLS.items() if count[mark])
        parts.append(f"{len(own)} drawn {words}" + (f" (statements judged: {tally})" if tally else ""))
    none = sum(not _own(records, figure) for figure in EXHIBITS)
    return f"Of {len(EXHIBITS)} figures, {'; '.join(parts)}; {none} not at all."


def _value(finding: Finding) -> str:
    """Ours with its interval; accuracies with four decimals."""
    if finding.interval is None and "accuracy" in finding.what:
        return accuracy(finding.value)
    return estimate(finding.value, finding.interval)


def _points(record: Record) -> str:
    """How many points ended and how, what is missing."""
    planned, missing = sum(s.planned for s in record.sweeps), record.missing
    outcomes: Counter[str] = sum((Counter(s.outcomes) for s in record.sweeps), Counter())
    ended = ", ".join(f"{number(n)} {outcome}" for outcome, n in sorted(outcomes.items()))
    return f"{number(planned - missing)} of {number(planned)} ended ({ended})" + (
        f"; points missing: {number(missing)}" if missing else ""
    )


def _cost(seconds: float) -> str:
    """``7 200 s (2 h)``."""
    units = (("days", 86_400.0), ("h", 3600.0), ("min", 60.0))
    larger = next((f" ({number(seconds / size)} {unit})" for unit, size in units if seconds >= 2 * size), "")
    return f"{number(round(seconds))} s{larger} of training, summed over workers"


def _facts(record: Record, exhibit: Exhibit) -> dict[str, str]:
    """Points, device, cost and date of a record as plain text."""
    if not record.sweeps:
        return {"Drawn": f"{record.drawn}, from equations: nothing is trained"}
    lacking = [stem for stem in exhibit.grids if stem not in {s.grid for s in record.sweeps}]
    used = sorted({device for s in record.sweeps for device in s.devices})
    dates = sorted({s.started[:10] for s in record.sweeps})
    return {
        "Trained": "; ".join(dict.fromkeys(s.trains for s in record.sweeps)),
        "Points": _points(record),
        **({"Without": ", ".join(lacking) + " (not run)"} if lacking else {}),
        "Device": ", ".join(used) or "not recorded",
        "Cost": _cost(sum(s.seconds for s in record.sweeps)),
        "Date": " to ".join(dict.fromkeys((dates[0], dates[-1]))),
    }


def _stems(record: Record) -> list[str]:
    """Its grids, each once."""
    return list(dict.fromkeys(sweep.grid for sweep in record.sweeps))


def _planned(exhibit: Exhibit) -> list[str]:
    """Commands of a figure that has not been run, at paper scale where it has one."""
    return [f"sweeper run grids/{_scales(exhibit)[0]}/{stem}.yaml" for stem in exhibit.grids]


def _scales(exhibit: Exhibit) -> tuple[Scale, ...]:
    """Scales that a figure has, that of the paper first."""
    return ("small",) if exhibit.beyond else tuple(SCALES)


def _prints(exhibit: Exhibit) -> str:
    return exhibit.prints or "none in its text"


# ---------------------------------------------------------------------------------------------- Markdown


def render_markdown(records: Records) -> str:
    """The page for a code host: pictures and grids as links relative to it."""
    return "\n".join(
        [
            "# The whole paper, figure by figure",
            "",
            INTRODUCTION,
            "",
            f"**{_counts(records)}** Made by `sweeper gallery`, which is also how a sweep of yours gets in; "
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


def _heading(exhibit: Exhibit) -> str:
    return exhibit.label if exhibit.beyond else f"Figure {exhibit.label}"


def _anchor(exhibit: Exhibit) -> str:
    """The anchor that code hosts give to the heading."""
    return re.sub(r"[^\w\- ]", "", _heading(exhibit).lower()).replace(" ", "-")


def _md_link(exhibit: Exhibit) -> str:
    return f"[{exhibit.label}](#{_anchor(exhibit)})"


def _md_stand(figure: str, records: Records) -> list[str]:
    return [
        _marks(records[figure, scale]) if (figure, scale) in records else _absent(figure, scale)
        for scale in _scales(ENTRIES[figure])
    ]


def _md_exhibit(figure: str, exhibit: Exhibit, records: Records) -> Iterable[str]:
    level = "###" if exhibit.beyond else "##"
    yield from (
        f"{level} {_heading(exhibit)}",
        "",
        f"**{exhibit.title}.** {exhibit.source}:",
        "",
        f"> {exhibit.says}",
        "",
    )
    if exhibit.prints or not exhibit.beyond:
        yield from (f"{'Its' if exhibit.beyond else 'The paper’s'} numbers: {_prints(exhibit)}.", "")
    if exhibit.advice:
        yield from (f"**For your λ:** {exhibit.advice}", "")
    if standing := _standing(figure, records):
        how = " and ".join(f"`{command}`" for command in _planned(exhibit))
        grids = ", ".join(_md_grid(_scales(exhibit)[0], stem) for stem in exhibit.grids)
        yield from (f"**{standing}**" + (f" {how}; cost at the top of {grids}." if exhibit.grids else ""), "")
    for record in _own(records, figure):
        yield from _md_record(record, exhibit)


def _md_record(record: Record, exhibit: Exhibit) -> Iterable[str]:
    alt = re.sub(r"[\[\]|]", "", record.caption)
    if not exhibit.beyond:
        yield from (f"**{SCALES[record.scale].capitalize()}**", "")
    yield from (f"![{_picture(record, exhibit)}: {alt}]({FOLDER}/{record.name}.png)", "")
    grids = {"Grids": ", ".join(_md_grid(record.scale, stem) for stem in _stems(record))} if record.sweeps else {}
    commands = {"Commands": "<br>".join(f"`{command}`" for command in record.commands)}
    facts = grids | {key: _md_text(value) for key, value in _facts(record, exhibit).items()} | commands
    yield from (*_md_table(("", ""), facts.items()), "")
    if record.findings:
        rows = [
            [
                _md_text(f.what) + (f" `{f.claim}`" if f.claim else "") + (f" of {f.of}" if _several(record) else ""),
                *(_md_text(part) for part in (f.paper or ABSENT, _value(f))),
                f"{_SYMBOLS[f.agrees]} {_word(f.agrees, exhibit)}".strip(),
                _md_text(f.why),
            ]
            for f in record.findings
        ]
        yield from (*_md_table(_columns(exhibit), rows), "")


def _picture(record: Record, exhibit: Exhibit) -> str:
    """What a picture is, for those who do not see it."""
    return _heading(exhibit) if exhibit.beyond else f"{_heading(exhibit)}, {SCALES[record.scale]}"


def _several(record: Record) -> bool:
    """Whether the findings are of different sweeps."""
    return len({finding.of for finding in record.findings}) > 1


def _md_grid(scale: Scale, stem: str) -> str:
    return f"[{stem}](../grids/{scale}/{stem}.yaml)"


def _md_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _md_text(value: str) -> str:
    """Plain text in a cell: what Markdown or HTML would read otherwise is escaped."""
    return re.sub(r"([|*_`\[\]])", r"\\\1", remark(value))


# -------------------------------------------------------------------------------------------------- HTML


def render_html(records: Records, folder: Path) -> str:
    """The page that stands alone: styles and pictures inside, nothing to load.

    Args:
        records: of ``results.gallery.read_records``.
        folder: where their pictures lie.
    """
    files = resources.files("results")
    page = Template(files.joinpath("gallery.html").read_text(encoding="utf-8"))
    return page.substitute(
        css=files.joinpath("report.css").read_text(encoding="utf-8").strip(),
        introduction=text(INTRODUCTION),
        counts=text(_counts(records)),
        contents="\n".join(_contents(figure, exhibit, records) for figure, exhibit in EXHIBITS.items()),
        contents_beyond="\n".join(_contents(figure, exhibit, records) for figure, exhibit in BEYOND.items()),
        exhibits="\n".join(_exhibit(figure, exhibit, records, folder) for figure, exhibit in EXHIBITS.items()),
        introduction_beyond=text(BEYOND_THE_PAPER),
        exhibits_beyond="\n".join(_exhibit(figure, exhibit, records, folder) for figure, exhibit in BEYOND.items()),
    )


def _contents(figure: str, exhibit: Exhibit, records: Records) -> str:
    cells = "".join(
        f'<td class="{"marks" if (figure, scale) in records else "absent"}">'
        f"{_mark_row(records[figure, scale]) if (figure, scale) in records else _absent(figure, scale)}</td>"
        for scale in _scales(exhibit)
    )
    link = f'<a href="#{_anchor(exhibit)}">{text(exhibit.label)}</a>'
    return f'<tr><th scope="row">{link}</th><td>{text(exhibit.title)}</td>{cells}</tr>'


def _mark_row(record: Record) -> str:
    exhibit, judged = ENTRIES[record.figure], [finding for finding in record.findings if finding.agrees]
    return (
        " ".join(
            f'<span class="mark {f.agrees}" title="{text(f.what)}: {_word(f.agrees, exhibit)}">'
            f"{_SYMBOLS[f.agrees]}</span>"
            for f in judged
        )
        or "drawn"
    )


def _exhibit(figure: str, exhibit: Exhibit, records: Records, folder: Path) -> str:
    anchor = _anchor(exhibit)
    standing = _standing(figure, records)
    if standing and exhibit.grids:
        standing += " " + " ".join(f"<code>{text(command)}</code>" for command in _planned(exhibit))
    note = f'<p class="standing">{standing}</p>\n' if standing else ""
    level = "h3" if exhibit.beyond else "h2"
    numbers = f" Its numbers: {text(_prints(exhibit))}." if exhibit.prints or not exhibit.beyond else ""
    advice = f"<p><strong>For your λ:</strong> {text(exhibit.advice)}</p>\n" if exhibit.advice else ""
    body = "\n".join(_record(record, exhibit, folder) for record in _own(records, figure))
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
        f'<{level} id="{anchor}-title">{text(_heading(exhibit))}: {text(exhibit.title)}</{level}>\n'
        f"<blockquote><p>{text(exhibit.says)}</p><footer>{text(exhibit.source)}.{numbers}</footer></blockquote>\n"
        f"{advice}{note}{body}\n</section>"
    )


def _record(record: Record, exhibit: Exhibit, folder: Path) -> str:
    scale = "" if exhibit.beyond else f"<h3>{SCALES[record.scale].capitalize()}</h3>\n"
    picture = base64.b64encode((folder / f"{record.name}.png").read_bytes()).decode()
    grids = {"Grids": ", ".join(f"grids/{record.scale}/{s}.yaml" for s in _stems(record))} if record.sweeps else {}
    facts = "".join(
        f'<tr><th scope="row">{text(key)}</th><td>{text(value)}</td></tr>'
        for key, value in (grids | _facts(record, exhibit)).items()
    )
    commands = "\n".join(text(command) for command in record.commands)
    return (
        f'{scale}<div class="entry">\n<figure>\n<div class="card">'
        f'<img alt="{text(_picture(record, exhibit))}" src="data:image/png;base64,{picture}"></div>\n'
        f"<figcaption>{text(record.caption)}</figcaption>\n</figure>\n"
        f'<div class="scroll facts"><table>\n{facts}\n'
        f'<tr><td colspan="2"><pre><code>{commands}</code></pre></td></tr>\n'
        f"</table></div>\n</div>\n{_findings(record, exhibit)}"
    )


def _findings(record: Record, exhibit: Exhibit) -> str:
    if not record.findings:
        return ""
    columns = [label.capitalize() for label in _columns(exhibit)]
    fields = [
        Field(label=label, cell=lambda row, label=label: str(row[label]), kind=kind)  # type: ignore[misc]
        for label, kind in zip(columns, _KINDS, strict=True)
    ]
    several = _several(record)
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
        _value(finding),
        badge(mark, _word(mark, exhibit)) if mark else ABSENT,
        remark(finding.why),
    )
