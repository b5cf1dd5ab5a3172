"""The sentences and facts that both pages of the gallery show."""

import re
from collections import Counter
from collections.abc import Mapping

from results.gallery.beyond import BEYOND
from results.gallery.exhibits import EXHIBITS, Exhibit
from results.gallery.records import ENTRIES, SCALES, Finding, Mark, Record, Scale
from results.pages.markup import ABSENT, SYMBOLS, accuracy, estimate, number

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
MARK_SYMBOLS: Mapping[str, str] = SYMBOLS | {"": ""}
FINDING_KINDS = ("claim", "value", "value estimate", "verdict", "why")  # of the columns of findings


def finding_headings(exhibit: Exhibit) -> tuple[str, ...]:
    """Headings of the columns of findings."""
    said = ("said", "as said?") if exhibit.beyond else ("paper", "as in the paper?")
    return ("found", said[0], "ours [interval]", said[1], "why")


def mark_in_words(mark: Mark, exhibit: Exhibit) -> str:
    """A mark in words; empty where nothing is judged."""
    held = "as said" if exhibit.beyond else "as in the paper"
    return {"pass": held, "fail": "not so", "inconclusive": "inconclusive", "": ""}[mark]


def records_of(records: Records, figure: str) -> list[Record]:
    """Records of a figure, paper scale first."""
    return [records[figure, scale] for scale in SCALES if (figure, scale) in records]


def missing_note(figure: str, records: Records) -> str:
    """What of a figure has not been run; empty if it has at paper scale, or at all where there is no such scale."""
    if (figure, "paper") in records:
        return ""
    if figure in BEYOND:
        return "" if records_of(records, figure) else "Not yet run."
    if (figure, "small") in records:
        return "Not yet run at paper scale."
    return "Not yet drawn." if not EXHIBITS[figure].grids else "Not yet run at any scale."


def no_record_note(figure: str, scale: Scale) -> str:
    """What the contents say where there is no record."""
    if ENTRIES[figure].grids:
        return "not run"
    return "not drawn" if scale == "paper" else ABSENT


def marks_of(record: Record) -> str:
    """``✓✓?``, in the order of the findings."""
    return "".join(MARK_SYMBOLS[finding.agrees] for finding in record.findings) or "drawn"


def counts_of(records: Records) -> str:
    """How many figures of the paper are drawn and how many statements hold, by scale."""
    parts = []
    for scale, words in {"paper": "at paper scale", "small": "as a small sibling"}.items():
        own = [record for (figure, s), record in records.items() if s == scale and figure in EXHIBITS]
        told = {(f.claim, f.what, f.of, f.agrees) for record in own for f in record.findings}  # figures share claims
        count: Counter[str] = Counter(agrees for *_, agrees in told)
        tally = ", ".join(f"{count[mark]} {symbol}" for mark, symbol in SYMBOLS.items() if count[mark])
        parts.append(f"{len(own)} drawn {words}" + (f" (statements judged: {tally})" if tally else ""))
    none = sum(not records_of(records, figure) for figure in EXHIBITS)
    return f"Of {len(EXHIBITS)} figures, {'; '.join(parts)}; {none} not at all."


def finding_value(finding: Finding) -> str:
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


def facts_of(record: Record, exhibit: Exhibit) -> dict[str, str]:
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


def grids_of(record: Record) -> list[str]:
    """Its grids, each once."""
    return list(dict.fromkeys(sweep.grid for sweep in record.sweeps))


def commands_to_run(exhibit: Exhibit) -> list[str]:
    """Commands of a figure that has not been run, at paper scale where it has one."""
    return [f"sweeper run grids/{scales_of(exhibit)[0]}/{stem}.yaml" for stem in exhibit.grids]


def scales_of(exhibit: Exhibit) -> tuple[Scale, ...]:
    """Scales that a figure has, that of the paper first."""
    return ("small",) if exhibit.beyond else tuple(SCALES)


def printed_by_paper(exhibit: Exhibit) -> str:
    """Numbers that the paper prints of a figure."""
    return exhibit.prints or "none in its text"


def heading_of(exhibit: Exhibit) -> str:
    """Heading of a figure on both pages."""
    return exhibit.label if exhibit.beyond else f"Figure {exhibit.label}"


def anchor_of(exhibit: Exhibit) -> str:
    """The anchor that code hosts give to the heading."""
    return re.sub(r"[^\w\- ]", "", heading_of(exhibit).lower()).replace(" ", "-")


def alt_text(record: Record, exhibit: Exhibit) -> str:
    """What a picture is, for those who do not see it."""
    return heading_of(exhibit) if exhibit.beyond else f"{heading_of(exhibit)}, {SCALES[record.scale]}"


def of_several_sweeps(record: Record) -> bool:
    """Whether the findings are of different sweeps."""
    return len({finding.of for finding in record.findings}) > 1
