"""Texts on MLflow's pages beside names and numbers: descriptions and a table of points."""

import json
import re
from collections import Counter

from results.store.tables import StoredVerdict, VerdictsFile
from sweeper.tracking.wording import format_value

# Query of every page. Without it MLflow shows its pages for language models to users who have not chosen yet.
_RUNS_QUERY = "workflowType=machine_learning"
MAX_NOTE_CHARACTERS = 5000  # MLflow refuses tags of more than 8,000
_VERDICT_MARKS = {"pass": "✓ pass", "fail": "✗ fail", "inconclusive": "? inconclusive"}

# A view as MLflow's own "Save as new view" stores it: the columns of the law, the most accurate points first.
_POINTS_TABLE = {
    "selectedColumns": [
        "attributes.`Duration`",
        *(f"params.`{name}`" for name in ("eta", "lam", "seed")),
        *(f"metrics.`{name}`" for name in ("t_star", "kappa", "best_test_acc")),
        "tags.`sweeper.outcome`",
    ],
    "searchFilter": "tags.`sweeper.point` != ''",
    "orderByKey": "metrics.`best_test_acc`",
    "orderByAsc": False,
}
_SHARED_VIEW = {"name": "points", "createdAt": 0, "updatedAt": 0, "state": json.dumps(_POINTS_TABLE)}

# Tags of a new experiment.
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.sharedViewState.points": json.dumps(_SHARED_VIEW),
}


def run_page(uri: str, experiment: str, run: str) -> str | None:
    """Return the address of a run in a browser, without user and password; None if ``uri`` is not a server's.

    Args:
        uri: address of MLflow.
        experiment: id of the experiment.
        run: id of the run.
    """
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{re.sub('://.*@', '://', uri).rstrip('/')}/#/experiments/{experiment}/runs/{run}?{_RUNS_QUERY}"


def experiment_note(experiment: str) -> str:
    """Return the description of an experiment in Markdown; MLflow shows its first line unasked."""
    return (
        f"{_points_link(experiment)} with η, λ, t\\*, κ, accuracy · a run is a sweep, with verdicts in its description "
        "and the report and figures among its artifacts; its child runs are the points"
    )


def _points_link(experiment: str) -> str:
    return f"[Table of points](#/experiments/{experiment}/runs?{_RUNS_QUERY}&viewStateShareKey=points)"


def verdict_note(content: VerdictsFile, experiment: str) -> str:
    """Return the description of a sweep in Markdown: the best setting, then the claims that its grid asks about.

    MLflow shows its first lines unasked. A long description loses its last lines.

    Args:
        content: best setting and verdicts of the sweep.
        experiment: id of the experiment, for the link to the table of points.
    """
    verdicts = [verdict for verdict in content.verdicts if verdict.verdict != "unasked"]
    counts = Counter(verdict.verdict for verdict in verdicts)
    parts = [f"{counts['pass']} of {len(verdicts)} claims pass"]
    parts += [f"{count} {word}" for word, count in sorted(counts.items()) if word != "pass"]
    best = content.best
    first = [f"**Best: {_escape_markdown(best.headline)}**"] if best else []
    # The link comes first: MLflow covers all but the first lines with a gradient that takes clicks.
    lines = [" · ".join([_points_link(experiment), *first, f"**{', '.join(parts)}**"]), ""]
    lines += [_escape_markdown(best.next_step), ""] if best else []
    lines += [
        "| claim | verdict | value | interval | threshold |",
        "|---|---|---|---|---|",
        *map(_table_row, verdicts),
        "",
    ]
    lines += [f"- **{_escape_markdown(v.claim)}**: {_escape_markdown(v.why)}" for v in verdicts if v.why]
    while sum(len(line) + 1 for line in lines) > MAX_NOTE_CHARACTERS:
        lines.pop()
    return "\n".join(lines)


def _table_row(verdict: StoredVerdict) -> str:
    ends = [_three_digits(end) for end in verdict.interval or ()]
    word = _VERDICT_MARKS.get(verdict.verdict, verdict.verdict)
    cells = [verdict.claim, word, _three_digits(verdict.value), " … ".join(ends), verdict.threshold]
    # MLflow's tables have no margins of their own.
    return f"| {' &emsp;| '.join(_escape_markdown(cell) for cell in cells)} |"


def _three_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _escape_markdown(value: object) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*_|~\[\]])", r"\\\1", format_value(value)).replace("<", "&lt;")
