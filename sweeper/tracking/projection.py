"""What a tracker is told about a sweep, as plain frozen values made from the sweep directory alone.

Everything here is a function of the stored files: told twice, from a copy, on another machine, it is the same to the
millisecond. That is what lets a tracker be filled again and again without a second copy of anything.
"""

import hashlib
import importlib.metadata
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from results.store.commits import PointEnd
from results.store.files import read_parquet
from results.store.parts import read_consistent, read_part
from results.store.paths import AnyPath
from results.store.schema import COLUMNS, SCHEMA_VERSION
from results.store.sweep_dir import SweepDir
from search_spaces.outcome import Outcome
from search_spaces.recipe import SECTIONS
from search_spaces.yaml_text import read_yaml
from sweeper.tracking.curves import CURVES, measurements_for, thin
from sweeper.tracking.wording import MAX_CHARACTERS, finite_or_none, format_value, tracker_key

SUMMARY_COLUMNS = ("t_star", "t_star_step", "kappa", "best_test_acc", "best_epoch", "censored")
# Start of sweeps whose plan does not say when they were made: visibly no date of ours, and not 0, which MLflow
# takes for "now".
UNDATED_START = 86_400_000
_PARAMS = ("eta", "lam", "mu", "budget", "seed")
_NOT_AXES = frozenset({c.name for c in COLUMNS} | {f.name for f in fields(PointEnd)})

Summary = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class CurveValue:
    """One value of one curve; ``time`` in milliseconds since 1970."""

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRecord:
    """A point as a tracker sees it.

    Attributes:
        name: what tells it from its neighbours, as in ``eta=1 lam=0.003``.
        failed: its own code raised. A diverged point has not failed: that it diverges is a result.
        end: milliseconds since 1970, as is the start of the sweep.
        curves: thinned, finite values only.
        digest: see ``training_digest``.
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
    """A sweep as a tracker sees it.

    Attributes:
        id: the same for every copy of the sweep; tells sweeps of one name apart.
        start: milliseconds since 1970.
        measurements: of each point, at most.
        params: what no later run of the sweep may change.
        tags: what it may.
    """

    name: str
    id: str
    start: int
    measurements: int
    params: dict[str, str]
    tags: dict[str, str]


def sweep_record(directory: SweepDir) -> SweepRecord:
    """Identity and grid of a sweep."""
    created, points = _read_plan(directory.plan)
    # A copy is the same sweep. Without a creation time only its place tells it from others of its name.
    identity = f"{directory.name} {created or _location(directory)}"
    grid: dict[str, str] = {}
    if directory.grid.is_file():
        document = read_yaml(directory.grid.read_text(encoding="utf-8"), str(directory.grid))
        grid = dict(_flatten((), document.value))
    fixed = {k: v for k, v in grid.items() if k.split(".")[0] in SECTIONS}
    id_ = hashlib.sha256(identity.encode()).hexdigest()[:16]
    own = {"sweeper.sweep": directory.name, "sweeper.id": id_, "sweeper.version": _version()}
    own |= {"sweeper.schema_version": str(SCHEMA_VERSION)}
    return SweepRecord(
        name=directory.name,
        id=id_,
        start=int(created.timestamp() * 1000) if created else UNDATED_START,
        measurements=measurements_for(points),
        params=fixed,
        tags=own | {f"grid.{k}": v for k, v in grid.items() if k not in fixed},
    )


def training_digest(end: PointEnd) -> str:
    """Digest of how a point ended, wall time included: another one means another training, with other curves."""
    return hashlib.sha256(json.dumps(asdict(end), sort_keys=True).encode()).hexdigest()[:16]


def point_records(
    directory: SweepDir, sweep: SweepRecord, ends: Mapping[str, PointEnd], told: Collection[str] = ()
) -> Iterator[PointRecord]:
    """Records of ended points, read pack by pack, so that memory holds the rows of one pack.

    Args:
        directory: the sweep.
        sweep: its record.
        ends: the points wanted.
        told: those of them whose rows need no reading: what depends on these is left out.
    """
    packs: defaultdict[str, list[PointEnd]] = defaultdict(list)
    for end in ends.values():
        if end.point in told:
            yield _point_record(end, pd.DataFrame(), {}, sweep)
        else:
            packs[end.pack].append(end)
    axes = _axes_by_point(directory)
    for pack, wanted in packs.items():
        tables = read_consistent(directory, lambda names: [read_part(directory, name) for name in names], pack)
        rows = pa.concat_tables(tables, promote_options="default").to_pandas() if tables else pd.DataFrame()
        of_point = dict(iter(rows.sort_values("step", kind="stable").groupby("point"))) if len(rows) else {}
        for end in wanted:
            own = of_point.get(end.point, rows.iloc[:0])
            yield _point_record(end, own, axes.get(end.point, {}), sweep)


def summaries(directory: SweepDir, ends: Mapping[str, PointEnd]) -> dict[str, Summary]:
    """For every ended point its summary: of the analysis if that has seen the point, else as far as it is known."""
    found: dict[str, Summary] = {
        p: {"best_test_acc": finite_or_none(e.best_test_acc), "kappa": finite_or_none(e.kappa)} for p, e in ends.items()
    }
    path = directory.analysis / "peaks.parquet"
    if path.is_file():
        peaks = read_parquet(path).to_pandas()
        present = [key for key in SUMMARY_COLUMNS if key in peaks]
        for row in peaks[["point", *present]].to_dict("records"):
            if row["point"] in found:
                found[str(row["point"])] = {key: finite_or_none(row[key]) for key in present}
    for summary in found.values():
        best = summary.get("best_test_acc")
        if best is not None and best == np.float32(best):  # measured in single precision, as the curves are
            summary["best_test_acc"] = _plain(np.array([best], np.float32))[0]
    return found


def _point_record(end: PointEnd, rows: pd.DataFrame, stored: Mapping[str, object], sweep: SweepRecord) -> PointRecord:
    first: dict[str, Any] = {str(k): v for k, v in (rows.iloc[0] if len(rows) else stored).items()}
    names = [*_PARAMS, *(name for name in first if name not in _NOT_AXES)]
    params = {name: format_value(first[name]) for name in names if name in first and not pd.isna(first[name])}
    curves, skipped = _curves(rows, sweep)
    tags = {"sweeper.outcome": end.outcome.value, "sweeper.pack": end.pack, "sweeper.attempt": str(end.attempt)}
    tags |= {"sweeper.why": end.why[:MAX_CHARACTERS]} if end.why else {}
    tags |= {"sweeper.skipped": skipped} if skipped else {}
    return PointRecord(
        point=end.point,
        name=_name(params, end.point),
        params={tracker_key(k): v for k, v in params.items()},
        tags=tags,
        failed=end.outcome is Outcome.FAILED,
        end=sweep.start + round(end.seconds * 1000),
        curves=curves,
        digest=training_digest(end),
    )


def _curves(rows: pd.DataFrame, sweep: SweepRecord) -> tuple[tuple[CurveValue, ...], str]:
    """Thinned finite measurements, and which values were left out because MLflow stores infinity as 1.8e308."""
    if not len(rows):
        return (), ""
    present = {name: rows[name].to_numpy() for name in CURVES if name in rows}
    steps = rows["step"].to_numpy(dtype=np.int64)
    times = sweep.start + np.round(np.nan_to_num(rows["seconds"].to_numpy()) * 1000).astype(np.int64)
    kept = thin(steps, present, sweep.measurements)
    measured = [
        CurveValue(name, value, time, step)
        for name, values in present.items()
        for value, time, step in zip(_plain(values[kept]), times[kept].tolist(), steps[kept].tolist(), strict=True)
        if math.isfinite(value)
    ]
    missing = {name: int((~np.isfinite(values)).sum()) for name, values in present.items()}
    skipped = ", ".join(f"{name} {n} of {len(rows)}" for name, n in missing.items() if n)
    return tuple(measured), f"not finite: {skipped}" if skipped else ""


def _plain(values: np.ndarray) -> list[float]:
    """Single precision by its shortest decimal: 0.9, where a cast would show 0.8999999761581421."""
    return [float(str(value)) for value in values]


def _axes_by_point(directory: SweepDir) -> dict[str, dict[str, object]]:
    """Axes of the points by the table of points, for those that failed before their first row."""
    if not directory.points.is_file():
        return {}
    points = read_parquet(directory.points).to_pandas().set_index("point", drop=False)
    return {str(k): v for k, v in points.to_dict("index").items()}


def _name(params: Mapping[str, str], point: str) -> str:
    plain = {"mu": "0", "seed": "0"}  # the usual case goes without saying
    shown = {k: v for k, v in params.items() if k != "budget" and v != plain.get(k)}
    return " ".join(f"{k}={_brief(v)}" for k, v in shown.items())[:MAX_CHARACTERS] or point


def _location(directory: SweepDir) -> str:
    return str(directory.root.resolve() if isinstance(directory.root, Path) else directory.root)


def _brief(text: str) -> str:
    """A number by four digits, which tell the values of an axis apart: MLflow shows 20 characters of a name."""
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text


def _read_plan(path: AnyPath) -> tuple[datetime | None, int]:
    """When a sweep was planned, and its points; nothing of it if that cannot be read."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        when, points = datetime.fromisoformat(plan["created"]), len(plan.get("points", ()))
    except (OSError, ValueError, KeyError, TypeError):
        return None, 0
    return when if when.tzinfo else when.replace(tzinfo=UTC), points


def _version() -> str:
    try:
        return importlib.metadata.version("sweeper")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _flatten(path: tuple[str, ...], value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten((*path, str(key)), inner)
    else:
        yield tracker_key(".".join(path)), format_value(value)
