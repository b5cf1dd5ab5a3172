"""Projection of a sweep directory to frozen records, from which a tracker is filled.

Every record is a function of the stored files: made twice, from a copy, or on another machine, it is the same to the
millisecond. Hence a tracker can be filled again and again without a second copy of anything.
"""

import hashlib
import importlib.metadata
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from results.store.commits import PointEnd
from results.store.files import read_parquet
from results.store.parts import read_consistent, read_part
from results.store.schema import COLUMNS, SCHEMA_VERSION
from results.store.state import SweepState
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points
from search_spaces.outcome import Outcome
from search_spaces.recipe import SECTIONS
from sweeper.tracking.curves import CURVES, measurements_for, thin
from sweeper.tracking.wording import MAX_CHARACTERS, finite_or_none, format_value, tracker_key

SUMMARY_COLUMNS = ("t_star", "t_star_step", "kappa", "best_test_acc", "best_test_loss", "best_epoch", "censored")
# Start of sweeps whose plan does not say when they were made, in milliseconds since 1970: visibly not a real date, and
# not 0, which MLflow takes for "now".
UNDATED_START = 86_400_000
_PARAMS = ("eta", "lam", "mu", "budget", "seed")
_NOT_AXES = frozenset({c.name for c in COLUMNS} | {f.name for f in fields(PointEnd)})

_FIXED = frozenset(SECTIONS) - {"metric"}  # sections that no later run may change

Summary = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class CurveValue:
    """One value of one curve.

    Attributes:
        key: name of the curve.
        value: a finite value.
        time: milliseconds since 1970.
        step: optimizer step of the measurement.
    """

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRecord:
    """Record of an ended point.

    Attributes:
        point: id of the point.
        name: axes that distinguish it from its neighbors, as in ``eta=1 lam=0.003``.
        params: axis to value.
        tags: outcome, pack, attempt, and remarks.
        failed: whether its own code raised. A diverged point has not failed: that it diverges is a result.
        end: milliseconds since 1970.
        curves: thinned curves, finite values only.
        digest: digest of its training, by ``training_digest``.
    """

    point: str
    name: str
    params: dict[str, str]
    tags: dict[str, str]
    failed: bool
    end: int
    curves: tuple[CurveValue, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """Record of a sweep.

    Attributes:
        name: name of the sweep.
        id: digest that distinguishes sweeps of one name; the same for every copy of the sweep.
        start: milliseconds since 1970.
        points: number of planned points; 0 without a plan.
        measurements: maximum number of measurements of each point.
        params: parts of the grid that no later run of the sweep may change.
        tags: identity of the sweep, and parts of the grid that a later run may change.
    """

    name: str
    id: str
    start: int
    points: int
    measurements: int
    params: dict[str, str]
    tags: dict[str, str]


def sweep_record(state: SweepState) -> SweepRecord:
    """Return the record of a sweep: its identity and its grid.

    Args:
        state: the state of the sweep. Its plan and its grid may be absent, but not damaged.

    Raises:
        InputError: the plan or the grid is there and cannot be read.
    """
    directory = state.directory
    for path in (directory.plan, directory.grid):
        if path in state.problems and state.versions[path] is not None:
            raise state.problems[path]
    created, points = _creation(state), len(state.plan.points) if state.plan else 0
    # A copy is the same sweep. Without a creation time only its location distinguishes it from others of its name.
    identity = f"{directory.name} {created or _location(directory)}"
    grid = dict(_flatten((), state.grid.model_dump(mode="json"))) if state.grid else {}
    fixed = {k: v for k, v in grid.items() if k.split(".")[0] in _FIXED}
    id_ = hashlib.sha256(identity.encode()).hexdigest()[:16]
    tags = {"sweeper.sweep": directory.name, "sweeper.id": id_, "sweeper.version": _version()}
    tags |= {"sweeper.schema_version": str(SCHEMA_VERSION)}
    return SweepRecord(
        name=directory.name,
        id=id_,
        start=int(created.timestamp() * 1000) if created else UNDATED_START,
        points=points,
        measurements=measurements_for(points),
        params=fixed,
        tags=tags | {f"grid.{k}": v for k, v in grid.items() if k not in fixed},
    )


def training_digest(end: PointEnd) -> str:
    """Return a digest of the end of a point, its wall time included.

    Another digest means another training, with other curves.
    """
    return hashlib.sha256(json.dumps(end.values(), sort_keys=True).encode()).hexdigest()[:16]


def point_records(
    directory: SweepDir, sweep: SweepRecord, ends: Mapping[str, PointEnd], without_rows: Collection[str] = ()
) -> Iterator[PointRecord]:
    """Yield the records of ended points, read pack by pack, so that memory holds the rows of one pack.

    Args:
        directory: the sweep directory.
        sweep: record of the sweep.
        ends: point id to end, of the points wanted.
        without_rows: ids of points whose rows are not read; params and curves are left out of their records.
    """
    packs: defaultdict[str, list[PointEnd]] = defaultdict(list)
    for end in ends.values():
        if end.point in without_rows:
            yield _point_record(end, pd.DataFrame(), {}, sweep)
        else:
            packs[end.pack].append(end)
    axes = _axes_by_point(directory)
    for pack, wanted in packs.items():
        tables = read_consistent(directory, lambda names: [read_part(directory, name) for name in names], pack)
        rows = pa.concat_tables(tables, promote_options="default").to_pandas() if tables else pd.DataFrame()
        rows_by_point = dict(iter(rows.sort_values("step", kind="stable").groupby("point"))) if len(rows) else {}
        for end in wanted:
            own_rows = rows_by_point.get(end.point, rows.iloc[:0])
            yield _point_record(end, own_rows, axes.get(end.point, {}), sweep)


def summaries(directory: SweepDir, ends: Mapping[str, PointEnd]) -> dict[str, Summary]:
    """Return the summary of every ended point: from the analysis if it has the point, else from the end."""
    by_point: dict[str, Summary] = {
        p: {"best_test_acc": finite_or_none(e.best_test_acc), "kappa": finite_or_none(e.kappa)} for p, e in ends.items()
    }
    path = directory.analysis / "peaks.parquet"
    if path.is_file():
        peaks = read_parquet(path).to_pandas()
        present = [key for key in SUMMARY_COLUMNS if key in peaks]
        for row in peaks[["point", *present]].to_dict("records"):
            if row["point"] in by_point:
                by_point[str(row["point"])] = {key: finite_or_none(row[key]) for key in present}
    for summary in by_point.values():
        for name in ("best_test_acc", "best_test_loss"):
            best = summary.get(name)
            if best is not None and best == np.float32(best):  # measured in single precision, as the curves are
                summary[name] = _shortest_decimals(np.array([best], np.float32))[0]
    return by_point


def _point_record(end: PointEnd, rows: pd.DataFrame, stored: Mapping[str, object], sweep: SweepRecord) -> PointRecord:
    """Return the record of a point.

    Args:
        end: the end of the point.
        rows: its rows in order of steps; empty if it has none, or if they are not to be read.
        stored: its axes, for a point without rows.
        sweep: record of the sweep.
    """
    first: dict[str, Any] = {str(k): v for k, v in (rows.iloc[0] if len(rows) else stored).items()}
    names = [*_PARAMS, *(name for name in first if name not in _NOT_AXES)]
    params = {name: format_value(first[name]) for name in names if name in first and not pd.isna(first[name])}
    curves, skipped = _curves(rows, sweep)
    tags = {"sweeper.outcome": end.outcome.value, "sweeper.pack": end.pack, "sweeper.attempt": str(end.attempt)}
    tags |= {"sweeper.why": end.why[:MAX_CHARACTERS]} if end.why else {}
    tags |= {"sweeper.skipped": skipped} if skipped else {}
    return PointRecord(
        point=end.point,
        name=_point_name(params, end.point),
        params={tracker_key(k): v for k, v in params.items()},
        tags=tags,
        failed=end.outcome is Outcome.FAILED,
        end=sweep.start + round(end.seconds * 1000),
        curves=curves,
        digest=training_digest(end),
    )


def _curves(rows: pd.DataFrame, sweep: SweepRecord) -> tuple[tuple[CurveValue, ...], str]:
    """Return thinned finite measurements, and a remark on values that were left out.

    MLflow would store infinity as 1.8e308.
    """
    if not len(rows):
        return (), ""
    present = {name: rows[name].to_numpy() for name in CURVES if name in rows}
    steps = rows["step"].to_numpy(dtype=np.int64)
    times = sweep.start + np.round(np.nan_to_num(rows["seconds"].to_numpy()) * 1000).astype(np.int64)
    kept = thin(steps, present, sweep.measurements)
    measured = [
        CurveValue(name, value, time, step)
        for name, values in present.items()
        for value, time, step in zip(
            _shortest_decimals(values[kept]), times[kept].tolist(), steps[kept].tolist(), strict=True
        )
        if math.isfinite(value)
    ]
    missing = {name: int((~np.isfinite(values)).sum()) for name, values in present.items()}
    skipped = ", ".join(f"{name} {n} of {len(rows)}" for name, n in missing.items() if n)
    return tuple(measured), f"not finite: {skipped}" if skipped else ""


def _shortest_decimals(values: np.ndarray) -> list[float]:
    """Return single-precision numbers by their shortest decimals: 0.9, where a cast would show 0.8999999761581421."""
    return [float(str(value)) for value in values]


def _axes_by_point(directory: SweepDir) -> dict[str, dict[str, object]]:
    """Return the axes of each point from the table of points, for points that failed before their first row."""
    if not directory.points.is_file():
        return {}
    points = read_points(directory).set_index("point", drop=False)
    return {str(id_): {str(name): v for name, v in row.items()} for id_, row in points.to_dict("index").items()}


def _point_name(params: Mapping[str, str], point: str) -> str:
    """Return the axes of a point in short; its id if it has no params."""
    usual = {"mu": "0", "seed": "0"}  # values that are left out of a name
    shown = {k: v for k, v in params.items() if k != "budget" and v != usual.get(k)}
    return " ".join(f"{k}={_four_digits(v)}" for k, v in shown.items())[:MAX_CHARACTERS] or point


def _location(directory: SweepDir) -> str:
    """Return the absolute path or address of a sweep directory."""
    return str(directory.root.resolve() if isinstance(directory.root, Path) else directory.root)


def _four_digits(text: str) -> str:
    """Return a number with four digits, which distinguish the values of an axis; MLflow shows 20 characters."""
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text


def _creation(state: SweepState) -> datetime | None:
    """Return when a sweep was planned; None if it has no plan, or its plan does not say."""
    try:
        when = datetime.fromisoformat(state.plan.created) if state.plan else None
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when and when.tzinfo is None else when


def _version() -> str:
    try:
        return importlib.metadata.version("sweeper")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _flatten(path: tuple[str, ...], value: object) -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested mappings, each with its dotted path as a key."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten((*path, str(key)), inner)
    else:
        yield tracker_key(".".join(path)), format_value(value)
