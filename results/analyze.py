"""Analysis of a sweep: from its directory to verdicts, figures and the report."""

import json
import platform
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import pandas as pd
import pyarrow as pa

from results.analysis.costs import devices, seconds_per_epoch, training_seconds
from results.analysis.findings import Findings, build_question, find_from
from results.analysis.reduction import ROW_COLUMNS, Question, Reduction, reduce_rows
from results.analysis.regime import regime_of
from results.analysis.selection import in_law
from results.claims.clocks import ClockVerdict, describe_clocks, describe_noise, judge_clocks
from results.claims.judge import Verdict, judge
from results.claims.winner import Winner, find_winner
from results.figures.clocks import draw_clocks
from results.figures.drawing import save
from results.figures.sweep import draw_all
from results.figures.sweep_data import law_line
from results.pages.clocks import ClockSection
from results.pages.report import ReportContent, render_report
from results.settling.choice import WayOut, ways_out
from results.store.generation import ResultWriter
from results.store.part_names import PartName
from results.store.parts import read_consistent
from results.store.row_batches import RowBatch, row_batches
from results.store.state import SweepState
from results.store.sweep_dir import SweepDir
from search_spaces.errors import counted
from search_spaces.outcome import Outcome
from search_spaces.sections.grid import Grid
from search_spaces.sections.trainable import judged_by

# Batches reduced at a time: numpy and pyarrow release Python's lock for three quarters of the time, and each batch
# takes some 150 MB, whatever the size of the sweep.
THREADS = 2
_VERSIONS = ("sweeper", "torch", "ray", "numpy", "pandas", "pyarrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Result of analyzing a sweep.

    Attributes:
        findings: tables and fits.
        verdicts: verdicts on the claims, in the order of the report.
        clocks: verdicts on the law by each clock, the paper's first.
        winner: the best setting; None if no point has trained as meant.
        seconds_per_epoch: training time of an epoch of one point on one worker; None if nothing has trained.
        ways_out: inconclusive claim to what would settle it.
    """

    findings: Findings
    verdicts: tuple[Verdict, ...]
    clocks: tuple[ClockVerdict, ...]
    winner: Winner | None
    seconds_per_epoch: float | None
    ways_out: Mapping[str, WayOut]


def analyze(state: SweepState, points: pd.DataFrame, files: ResultWriter, *, report: bool = True) -> Analysis:
    """Analyze what a sweep holds so far and write ``analysis/`` and ``report.html``.

    Args:
        state: the sweep.
        points: its table of ended points.
        files: writes the files.
        report: whether to draw figures and report too, which takes most of the time.

    Raises:
        InputError: its grid or a part is damaged.
    """
    directory, grid, further = state.directory, state.required_grid(), set(state.further_columns)
    judged, metric = grid.analysis, grid.metric
    question = build_question(points, further, judged.tolerance, judged.budgets, regime_of(grid), metric)
    findings = find_from(_reduce(directory, question), question)
    verdicts, pace = tuple(judge(findings)), seconds_per_epoch(points, findings.peaks)
    scales = any(v.claim == "scaling" and v.verdict == "pass" for v in verdicts)
    analysis = Analysis(
        findings=findings,
        verdicts=verdicts,
        clocks=judge_clocks(findings.clocks, metric),
        winner=find_winner(findings.peaks, metric, scales=scales),
        seconds_per_epoch=pace,
        ways_out=ways_out(verdicts, findings.steady, grid, pace),
    )
    _write_tables(directory, analysis, files)
    if report:
        files.write_text(directory.report, _draw_report(directory, grid, points, analysis, files))
    return analysis


def _reduce(directory: SweepDir, question: Question) -> Iterable[Reduction]:
    """Reduce the rows of the points in the question, batch by batch, each where it is read."""

    def reduce(batch: RowBatch) -> Reduction:
        return reduce_rows(batch.read(directory, ROW_COLUMNS), question)

    def reduce_all(names: list[PartName]) -> list[Reduction]:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(reduce, row_batches(directory, names)))

    return read_consistent(directory, reduce_all) or [reduce_rows(pd.DataFrame(), question)]


def _write_tables(directory: SweepDir, analysis: Analysis, files: ResultWriter) -> None:
    """Write the tables of the findings, the best setting and the verdicts to ``analysis/``."""
    findings = analysis.findings
    tables = {"peaks": findings.peaks, "within_budget": findings.within, "prediction": findings.prediction}
    for name, table in tables.items():
        files.write_table(directory.analysis / f"{name}.parquet", pa.Table.from_pandas(table, preserve_index=False))
    content = {
        "sweep": directory.name,
        "generation": str(files.generation),
        "best": analysis.winner.to_json() if analysis.winner else None,
        "verdicts": [v.to_json() for v in analysis.verdicts],
        "ways_out": {claim: way.to_json() for claim, way in analysis.ways_out.items()},
        "clocks": [v.to_json() for v in analysis.clocks],
    }
    files.write_text(directory.verdicts, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _draw_report(
    directory: SweepDir,
    grid: Grid,
    points: pd.DataFrame,
    analysis: Analysis,
    files: ResultWriter,
) -> str:
    """Draw the figures, write their files, and return the page of the report."""
    findings = analysis.findings
    law = law_line(findings.exponents, findings.kappa, findings.steady)
    peaks = findings.peaks.assign(in_law=in_law(findings.peaks))
    drawings = draw_all(peaks, findings.within, findings.prediction, findings.curves, law, findings.metric)
    if (other_clocks := draw_clocks(findings.clocks)) is not None:
        drawings.append(other_clocks)
    figures = [save(drawing, directory.analysis / "figures", write=files.write) for drawing in drawings]
    facts = _facts(directory, grid, points, findings.peaks)
    content = ReportContent(
        title=directory.name,
        winner=analysis.winner,
        facts=facts,
        verdicts=analysis.verdicts,
        ways_out=analysis.ways_out,
        clocks=_clock_section(analysis),
        figures=figures,
        peaks=peaks,
        prediction=findings.prediction,
        law=law,
        metric=findings.metric,
    )
    return render_report(content)


def _clock_section(analysis: Analysis) -> ClockSection:
    """Say where the clocks disagree, and how noisy the accuracies are."""
    tolerance, metric = analysis.findings.tolerance, analysis.findings.metric
    return ClockSection(
        verdicts=analysis.clocks,
        agreement=describe_clocks(analysis.clocks, tolerance, metric),
        noise=describe_noise(analysis.findings.noise, tolerance, metric),
        times={clock.name: clock.times for clock in analysis.findings.clocks if clock.times is not None},
    )


def _facts(directory: SweepDir, grid: Grid, points: pd.DataFrame, peaks: pd.DataFrame) -> Mapping[str, str]:
    """Return what was run and with what, for the end of the report."""
    return {
        "Grid": directory.grid.read_text(encoding="utf-8"),
        "Points": f"{len(points):,} ended, {grid.trainable.title}",
        **_accuracy_fact(grid),
        **_stopped_fact(peaks),
        "Training time": f"{training_seconds(points):,.1f} s of workers, in "
        + counted(points["pack"].nunique(), "pack"),
        "Versions": ", ".join(f"{name} {_version(name)}" for name in _VERSIONS),
        "Machine": ", ".join(devices(points)) or "(not recorded)",
        "Analyzed on": f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    }


def _accuracy_fact(grid: Grid) -> dict[str, str]:
    """Return which images all accuracies are of, where these are not the test set."""
    if judged_by(grid.trainable) == "test":
        return {}
    return {"Accuracy": "of the validation images (trainable.data.validation); the test set was not looked at"}


def _stopped_fact(peaks: pd.DataFrame) -> dict[str, str]:
    """Return how many points were stopped before their budgets, and what that saved."""
    stopped = peaks[peaks["outcome"] == Outcome.STOPPED]
    if stopped.empty:
        return {}
    share = float(stopped["last_epoch"].sum() / stopped["budget"].sum())
    return {"Stopped": f"{counted(len(stopped), 'point')} that had peaked, after {share:.0%} of their budgets"}


def _version(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(absent)"
