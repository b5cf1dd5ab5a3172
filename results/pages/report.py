"""The report of a sweep: one HTML page that stands alone, verdicts first."""

import math
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

import pandas as pd

from results.analysis.segments import extra_axes
from results.claims.judge import CLAIMS_BY_NAME
from results.figures.drawing import Rendered
from results.figures.sweep import LawLine
from results.pages.markup import ABSENT, SYMBOLS, Field, accuracy, badge, estimate, number, panels, remark, table, text
from search_spaces.outcome import TRAINED

if TYPE_CHECKING:
    from results.claims.verdict import Verdict

ROWS_SHOWN = 60  # a longer table of points is folded
MOST_ROWS = 300  # of any table; a page of 10,000 points would have 10 MB and answer slowly
FIGURE_FOLDER = "analysis/figures"  # in the directory of the sweep
_NO_AXES = (
    *(
        "in_law",
        "budget_at",
        "peak_at",
        "lam_tuned",
        "lam_tuned_low",
        "lam_tuned_high",
        "lams",
        "lam_min",
        "lam_max",
        "acc_tuned",
        "acc_zero",
    ),
    *("probe_points", "c", "lam_pred", "acc_pred", "gap", "ratio"),
)
_GREEK = {"eta": "η", "lam": "λ", "mu": "μ", "budget": "T (epochs)"}


def render_report(
    title: str,
    facts: Mapping[str, str],
    verdicts: "Sequence[Verdict]",
    figures: Sequence[Rendered],
    peaks: pd.DataFrame,
    prediction: pd.DataFrame,
    *,
    law: LawLine | None = None,
) -> str:
    """The whole page as text, with styles and drawings inside and nothing to load.

    Args:
        title: name of the sweep.
        facts: what was run and where, label to text (the grid as YAML, versions, machine, wall time), in order.
        verdicts: one entry a claim, in the order to be shown.
        figures: drawings as rendered.
        peaks: one row a point.
        prediction: one row per η and budget.
        law: the fit named in the headline, if there is one.
    """
    folder = resources.files("results.pages")
    page = Template(folder.joinpath("report.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=text(title),
        css=folder.joinpath("report.css").read_text(encoding="utf-8").strip(),
        headline=_headline(verdicts, law),
        counts=_counts(peaks),
        verdicts=_verdict_table(verdicts),
        figures="\n".join(_figure(drawing) for drawing in figures) or '<p class="note">No figure was drawn.</p>',
        prediction=_prediction_table(prediction),
        points=_points(peaks),
        facts=_facts(facts),
    )


def _headline(verdicts: "Sequence[Verdict]", law: LawLine | None) -> str:
    """One sentence: the law found and how many claims hold."""
    if law is None:
        found = "No law could be fitted"
    else:
        found = f"t* ∝ (ηλ)<sup>{number(round(law.slope, 2))}</sup>"
        if math.isfinite(law.kappa):
            found += f", κ = {estimate(law.kappa, (law.kappa_low, law.kappa_high), digits=2)}"
    count = {kind: sum(v.verdict == kind for v in verdicts) for kind in SYMBOLS}
    if not verdicts:
        return f"{found}; no claim was judged."
    parts = [f"{count['pass']} of {len(verdicts)} claims pass"]
    if count["fail"]:
        parts.append(f"{count['fail']} fail" + ("s" if count["fail"] == 1 else ""))
    if count["inconclusive"]:
        parts.append(f"{count['inconclusive']} inconclusive")
    return f"{found}; {', '.join(parts)}."


def _counts(peaks: pd.DataFrame) -> str:
    """How many points there are, by outcome."""
    if peaks.empty or "outcome" not in peaks:
        return "No point has been measured."
    parts = [f"{n} {text(outcome)}" for outcome, n in peaks["outcome"].value_counts().items()]
    censored = int(peaks["censored"].eq(True).sum()) if "censored" in peaks else 0
    return f"{len(peaks)} points: {', '.join(parts)}; t* is only a lower bound for {censored}."


def _verdict_table(verdicts: "Sequence[Verdict]") -> str:
    if not verdicts:
        return '<p class="note">No claim was judged.</p>'
    names = ("claim", "value", "interval", "threshold", "verdict", "points_used", "censored", "why")
    rows = [{name: getattr(verdict, name) for name in names} for verdict in verdicts]
    fields = [
        Field(label="Claim", cell=_claim, kind="claim"),
        Field(label="Verdict", cell=lambda r: _mark(str(r["verdict"])), kind="verdict"),
        Field(label="Value [interval]", cell=lambda r: estimate(r["value"], r["interval"]), kind="value estimate"),
        Field(label="Threshold", cell=lambda r: remark(r["threshold"]), kind="value"),
        Field(
            label="Points (censored)",
            cell=lambda r: f"{number(r['points_used'])} ({number(r['censored'])})",
            kind="value",
        ),
        Field(label="Why", cell=lambda r: remark(r["why"]), kind="why"),
    ]
    return table("Verdicts", fields, rows, kind="verdicts")


def _claim(row: Mapping[str, object]) -> str:
    """The claim in words, with its name in verdicts.json."""
    name = str(row["claim"])
    claim = CLAIMS_BY_NAME.get(name)
    return f"{text(claim.title)} <code>{text(name)}</code>" if claim else text(name)


def _mark(verdict: str) -> str:
    return badge(verdict if verdict in SYMBOLS else "inconclusive", verdict)


def _figure(drawing: Rendered) -> str:
    files = ", ".join(f"<code>{text(drawing.name)}.{ending}</code>" for ending in ("svg", "png", "csv"))
    return (
        f'<figure>\n<h3>{text(drawing.title)}</h3>\n<div class="card">\n{panels(drawing)}\n</div>\n'
        f"<figcaption>{text(drawing.caption)}\n"
        f'<span class="files">In <code>{FIGURE_FOLDER}</code>: {files} (the numbers shown).</span></figcaption>\n'
        "</figure>"
    )


def _prediction_table(prediction: pd.DataFrame) -> str:
    if prediction.empty:
        return '<p class="note">No λ was predicted: no budget, or no point to measure c on.</p>'
    scheduled = "peak_at" in prediction and not prediction["peak_at"].equals(prediction["budget_at"])
    varied = [name for name in _axes(prediction) if name == "eta" or prediction[name].nunique() > 1]
    fields = [
        *(_axis_field(axis) for axis in varied),
        Field(label="T (epochs)", cell=lambda r: number(r.get("budget_at"))),
        *([Field(label="T₁ (epochs)", cell=lambda r: number(r.get("peak_at")))] if scheduled else []),
        Field(label="c (epochs)", cell=lambda r: number(r.get("c"))),
        Field(label="λ_pred", cell=lambda r: number(r.get("lam_pred"))),
        Field(label="λ tuned [range]", cell=_tuned),
        Field(label="ratio", cell=lambda r: number(r.get("ratio"))),
        Field(label="accuracy at λ_pred", cell=lambda r: accuracy(r.get("acc_pred"))),
        Field(label="at tuned\u00a0λ", cell=lambda r: accuracy(r.get("acc_tuned"))),
        Field(label="gap", cell=lambda r: accuracy(r.get("gap"))),
        Field(label="at λ\u00a0=\u00a00", cell=lambda r: accuracy(r.get("acc_zero"))),
        Field(label="Note", cell=lambda r: remark(r.get("why")), kind="why"),
    ]
    note = (
        '<p class="note">η follows a schedule: λ_pred = c/T₁, with T₁ the epoch at which η first falls and c measured '
        "before it. Only runs whose own budget is T count.</p>\n"
    )
    rows, rest = _cut(prediction, "prediction.parquet")
    return note * scheduled + rest + table("Predicted and tuned λ", fields, rows)


def _tuned(row: Mapping[str, object]) -> str:
    """The tuned λ, with its range where it is more than one λ."""
    low, high = row.get("lam_tuned_low"), row.get("lam_tuned_high")
    return estimate(row.get("lam_tuned"), None if low == high else (low, high), digits=2)


def _points(peaks: pd.DataFrame) -> str:
    """Points that did not complete, always in sight; then all points, folded where there are many."""
    if peaks.empty:
        return '<p class="note">No point has been measured.</p>'
    axes = _axes(peaks)
    same = [name for name in axes if len(peaks) > 1 and peaks[name].nunique(dropna=False) == 1]
    order = [name for name in ("eta", "lam") if name in peaks]
    shown = [name for name in axes if name not in same]
    ordered = peaks.sort_values(order, kind="stable") if order else peaks
    constant = ", ".join(f"{_label(name)} = {number(peaks[name].iloc[0])}" for name in same)
    note = f'<p class="note">The same for all points: {constant}.</p>\n' if same else ""
    broken = ordered[~ordered["outcome"].isin(TRAINED)] if "outcome" in ordered else ordered
    unfinished = (
        f"<h3>Not completed</h3>\n{_point_table('Points not completed', shown, broken)}\n" if len(broken) else ""
    )
    every = _point_table("All points", shown, ordered)
    if len(ordered) > ROWS_SHOWN:
        some = "all" if len(ordered) <= MOST_ROWS else f"{MOST_ROWS} of"
        every = f"<details>\n<summary>Show {some} {len(ordered)} points</summary>\n{every}\n</details>"
    return f"{note}{unfinished}<h3>All points</h3>\n{every}"


def _cut(frame: pd.DataFrame, file: str) -> tuple[list[dict[str, object]], str]:
    """As many rows as a page can take, and where the others are."""
    rest = f'<p class="note">The first {MOST_ROWS} of {len(frame)} rows; all are in <code>analysis/{file}</code>.</p>\n'
    return _records(frame.iloc[:MOST_ROWS]), rest * (len(frame) > MOST_ROWS)


def _point_table(name: str, axes: Sequence[str], points: pd.DataFrame) -> str:
    rows, rest = _cut(points, "peaks.parquet")
    fields = [
        *(_axis_field(axis) for axis in axes),
        Field(label="Outcome", cell=lambda r: text(r.get("outcome")), kind="outcome"),
        Field(label="t* (epochs)", cell=lambda r: _bound(r, "t_star")),
        Field(label="κ", cell=lambda r: _bound(r, "kappa")),
        Field(label="test accuracy", cell=lambda r: accuracy(r.get("best_test_acc"))),
        Field(label="at epoch", cell=lambda r: number(r.get("best_epoch"))),
        Field(label="train accuracy", cell=lambda r: accuracy(r.get("best_train_acc"))),
        Field(label="Note", cell=_note, kind="why"),
    ]
    broken = {"diverged", "failed"}
    return rest + table(name, fields, rows, row_kind=lambda r: "broken" if r.get("outcome") in broken else "")


def _axes(frame: pd.DataFrame) -> list[str]:
    """The axes among the columns: η first, further axes of the grid last."""
    known = ("eta", "lam", "mu", "budget", "seed")
    return [name for name in (*known, *extra_axes(frame)) if name in frame and name not in _NO_AXES]


def _axis_field(axis: str) -> Field:
    return Field(label=_label(axis), cell=lambda row: number(row.get(axis)))


def _note(row: Mapping[str, object]) -> str:
    """Why a point did not complete, and why its t* is only a bound."""
    whys = [str(row[name]) for name in ("why", "censored_why") if isinstance(row.get(name), str) and row[name]]
    return remark("; ".join(whys))


def _bound(row: Mapping[str, object], name: str) -> str:
    """A number, with ≥ where it is only a lower bound."""
    shown = number(row.get(name))
    return f"≥ {shown}" if row.get("censored") and shown != ABSENT else shown


def _label(axis: str) -> str:
    return _GREEK.get(axis) or text(axis)


def _facts(facts: Mapping[str, str]) -> str:
    if not facts:
        return '<p class="note">None were recorded.</p>'
    shown = (
        f"<dt>{text(name)}</dt><dd><pre><code>{text(value)}</code></pre></dd>"
        if "\n" in value
        else f"<dt>{text(name)}</dt><dd>{text(value)}</dd>"
        for name, value in facts.items()
    )
    return "<dl>\n" + "\n".join(shown) + "\n</dl>"


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
