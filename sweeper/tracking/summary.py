"""Summary of a whole sweep for a tracker: outcomes, and after the analysis verdicts and files to show."""

import hashlib
from collections import Counter
from collections.abc import Mapping

from results.store.commits import PointEnd
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir, files_of
from results.store.tables import VerdictsFile, read_verdicts
from search_spaces.outcome import Outcome
from sweeper.tracking.page import verdict_note
from sweeper.tracking.projection import Summary
from sweeper.tracking.wording import tracker_key

_VERDICT_VALUES = {"pass": 1.0, "fail": 0.0, "inconclusive": -1.0}  # -1: neither, and off the scale of both in a chart
_FIGURE_SUFFIXES = frozenset({".svg", ".png", ".csv"})


def verdict_summary(
    directory: SweepDir, ends: Mapping[str, PointEnd], experiment: str
) -> tuple[Summary, dict[str, str]]:
    """Return metrics and tags of a whole sweep: the outcomes of its points, and the verdicts of the analysis.

    ``verdict.CLAIM.pass`` is 1 for pass, 0 for fail, -1 for inconclusive; the tag ``verdict.CLAIM`` has the word.

    Args:
        directory: the sweep directory.
        ends: point id to the end of the point.
        experiment: MLflow's id of the experiment, for the link to the table of points.

    Raises:
        InputError: the verdicts cannot be read.
    """
    metrics: Summary = {}
    tags: dict[str, str] = {}
    content = read_verdicts(directory) if directory.verdicts.is_file() else VerdictsFile(verdicts=())
    for verdict in content.verdicts:
        key = f"verdict.{tracker_key(verdict.claim)}"
        low, high = verdict.interval or (None, None)
        metrics |= {f"{key}.value": verdict.value, f"{key}.low": low, f"{key}.high": high}
        metrics[f"{key}.pass"] = _VERDICT_VALUES.get(verdict.verdict)
        tags[key] = verdict.verdict
    if content.verdicts:
        tags["mlflow.note.content"] = verdict_note(content, experiment)
    counts = Counter(end.outcome for end in ends.values())
    metrics |= {f"points.{outcome.value}": float(counts[outcome]) for outcome in Outcome}
    return metrics, tags


def artifacts(directory: SweepDir) -> dict[AnyPath, str]:
    """Return the files to show beside the numbers, each with its folder in the tracker."""
    single = [directory.report, directory.grid, directory.verdicts]
    single += [directory.prediction, directory.forecast]
    present = files_of(directory)
    folders = {
        path: directory.inside(path.parent) for path in sorted(present, key=str) if path.suffix in _FIGURE_SUFFIXES
    }
    figures = {p: f.removeprefix("analysis/") for p, f in folders.items() if f.startswith("analysis/figures")}
    return {path: "" for path in single if path in present} | figures


def files_digest(files: Mapping[AnyPath, str]) -> str:
    """Return a hash of the names and contents of files.

    Args:
        files: each file with its folder in the tracker.
    """
    digest = hashlib.sha256()
    for path, folder in files.items():
        digest.update(f"{folder}/{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()[:16]
