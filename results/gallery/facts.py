"""Sentences and facts that both pages of the gallery show."""

from collections import Counter
from collections.abc import Mapping

from results.gallery.exhibit import Exhibit
from results.gallery.exhibits import ALL_EXHIBITS, EXHIBITS
from results.gallery.records import SCALES, Finding, Record, Records, Scale, SweepUsed
from results.pages.markup import ABSENT_SIGN, RULING_SYMBOLS, format_accuracy, format_estimate, format_number

INTRODUCTION = (
    "This page shows every figure of the paper and what this project found. At paper scale, the grid is as the paper "
    "prints it. A small sibling asks the same question of a smaller network and data set. Its exponents, plateaus and "
    "verdicts compare with the paper’s; its accuracies do not. Some siblings were changed after an open verdict, until "
    "they decided: their network, λ, η or seeds. Their intervals do not count that choice, and the top of such a grid "
    "says what was tried. ✓ means as in the paper, ✗ not as in the paper, and ? that the data do not suffice to "
    "decide. Intervals are 95 % intervals for fitted numbers and means, and observed ranges otherwise."
)
BEYOND_THE_PAPER = (
    "The paper does not try these cases. They are studied in its terms: the decay time s = Σηλ/(1−μ), and κ, its value "
    "at t*. The set-ups are our own, small ones on digits and MNIST. Each exhibit names the source of the statement "
    "that it tests."
)
AGREEMENT_SYMBOLS: Mapping[str, str] = RULING_SYMBOLS | {"": ""}


def records_of(records: Records, figure: str) -> list[Record]:
    """Return the records of a figure, paper scale first."""
    return [records[figure, scale] for scale in SCALES if (figure, scale) in records]


def missing_note(figure: str, records: Records) -> str:
    """Return what of a figure has not been run; empty if its first scale has been."""
    exhibit = ALL_EXHIBITS[figure]
    if (figure, exhibit.scales[0]) in records:
        return ""
    if len(exhibit.scales) == 1:
        return "Not yet run."
    if (figure, "small") in records:
        return "Not yet run at paper scale."
    return "Not yet run at any scale." if exhibit.grids else "Not yet drawn."


def no_record_note(figure: str, scale: Scale) -> str:
    """Return what the contents show in place of an absent record."""
    if ALL_EXHIBITS[figure].grids:
        return "not run"
    return "not drawn" if scale == "paper" else ABSENT_SIGN


def agreement_symbols(record: Record) -> str:
    """Return the symbols of all findings in their order, such as ``✓✓?``, and how many points if some are missing."""
    symbols = "".join(AGREEMENT_SYMBOLS[finding.agrees] for finding in record.findings) or "drawn"
    planned = sum(sweep.planned for sweep in record.sweeps)
    return f"{symbols} ({planned - record.missing} of {planned} points)" if record.missing else symbols


def count_sentence(records: Records) -> str:
    """Return one sentence that counts the paper's figures drawn and the statements that hold, by scale."""
    parts = []
    for scale, words in {"paper": "at paper scale", "small": "as a small sibling"}.items():
        drawn = [record for (figure, s), record in records.items() if s == scale and figure in EXHIBITS]
        judged = {
            (f.claim, f.what, f.of, f.agrees) for record in drawn for f in record.findings
        }  # figures share claims
        count: Counter[str] = Counter(agrees for *_, agrees in judged)
        tally = ", ".join(f"{count[mark]} {symbol}" for mark, symbol in RULING_SYMBOLS.items() if count[mark])
        parts.append(f"{len(drawn)} drawn {words}" + (f" (statements judged: {tally})" if tally else ""))
    absent = sum(not records_of(records, figure) for figure in EXHIBITS)
    return f"Of {len(EXHIBITS)} figures, {'; '.join(parts)}; {absent} not at all."


def value_with_interval(finding: Finding) -> str:
    """Return our value with its interval; accuracies have four decimals."""
    if finding.interval is None and "accuracy" in finding.what:
        return format_accuracy(finding.value)
    return format_estimate(finding.value, finding.interval)


def facts_of(record: Record, exhibit: Exhibit) -> dict[str, str]:
    """Return points, device, cost and date of a record as plain text, by label, and why statements are open."""
    if not record.sweeps:
        return {"Drawn": f"{record.drawn}, from equations: nothing is trained"}
    absent = [stem for stem in exhibit.grids if stem not in record.grids]
    devices = sorted({device for s in record.sweeps for device in s.devices})
    dates = sorted({s.started[:10] for s in record.sweeps})
    open_ = record.scale == "small" and any(finding.agrees == "inconclusive" for finding in record.findings)
    return {
        "Trained": "; ".join(dict.fromkeys(map(_trained, record.sweeps))),
        "Points": _points(record),
        **({"Without": ", ".join(absent) + " (not run)"} if absent else {}),
        "Device": ", ".join(devices) or "not recorded",
        "Cost": _cost(sum(s.seconds for s in record.sweeps)),
        "Date": " to ".join(dict.fromkeys((dates[0], dates[-1]))),
        **({"Left open": exhibit.left_open} if open_ and exhibit.left_open else {}),
    }


def commands_to_run(exhibit: Exhibit) -> list[str]:
    """Return the commands that run a figure's grids, at paper scale if it has one."""
    return [f"sweeper run grids/{exhibit.scales[0]}/{stem}.yaml" for stem in exhibit.grids]


def _trained(sweep: SweepUsed) -> str:
    """Return network and data of a sweep, with the number of samples if it is recorded."""
    if sweep.samples is None:
        return sweep.trains
    train, test = map(format_number, sweep.samples)
    return f"{sweep.trains}, {train} training and {test} test samples"


def _points(record: Record) -> str:
    """Return how many points ended, with which outcomes, and how many are missing."""
    planned = sum(s.planned for s in record.sweeps)
    outcomes: Counter[str] = sum((Counter(s.outcomes) for s in record.sweeps), Counter())
    ended = ", ".join(f"{format_number(n)} {outcome}" for outcome, n in sorted(outcomes.items()))
    missing = f"; points missing: {format_number(record.missing)}" if record.missing else ""
    return f"{format_number(planned - record.missing)} of {format_number(planned)} ended ({ended}){missing}"


def _cost(seconds: float) -> str:
    """Return a training time in seconds and in the largest unit of which it holds two: ``7 200 s (2 h)``."""
    units = (("days", 86_400.0), ("h", 3600.0), ("min", 60.0))
    larger = next((f" ({format_number(seconds / size)} {unit})" for unit, size in units if seconds >= 2 * size), "")
    return f"{format_number(round(seconds))} s{larger} of training, summed over workers"
