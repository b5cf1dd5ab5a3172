"""What MLflow holds of one run, and the requests that make it what it should be: none if it is that already.

The client is handed in, so that MLflow itself is imported in ``mirror.py`` alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeper.tracking.projection import CurveValue, Summary


@dataclass(frozen=True, slots=True)
class Tracker:
    """A connection: ``mlflow.MlflowClient`` and the module ``mlflow.entities``."""

    client: Any
    entities: Any


@dataclass(slots=True)
class Run:
    """What MLflow is known to hold of a run."""

    id: str
    status: str = "RUNNING"
    end: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)  # of the metrics


def create(tracker: Tracker, experiment: str, start: int, name: str, tags: Mapping[str, str]) -> Run:
    """Make a run; not idempotent, so look for it first."""
    run = tracker.client.create_run(experiment, start_time=start, tags=dict(tags), run_name=name)
    return Run(run.info.run_id, tags=dict(tags))


def update(
    tracker: Tracker,
    run: Run,
    *,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    summary: Summary | None = None,
    time: int = 0,
    curves: Sequence[CurveValue] = (),
) -> bool:
    """Send what differs from what the run holds, in one request; whether there was anything.

    MLflow writes params once, so a param that it holds is left alone. Tags are written last: with the digest among
    them, it says that all before it has arrived.
    """
    params = {k: v for k, v in (params or {}).items() if k not in run.params}
    tags = {k: v for k, v in (tags or {}).items() if run.tags.get(k) != v}
    metrics = [tracker.entities.Metric(m.key, m.value, m.time, m.step) for m in curves]
    news = {k: v for k, v in (summary or {}).items() if not _is_equal(run.metrics.get(k), v)}
    # Of two values the later counts, so one that replaces another comes just after it.
    times = {key: max(time, run.times.get(key, -1) + 1) for key in news}
    for key, value in news.items():
        metrics.append(tracker.entities.Metric(key, math.nan if value is None else value, times[key], 0))
    if not (params or tags or metrics):
        return False
    tracker.client.log_batch(
        run.id,
        metrics=metrics,
        params=[tracker.entities.Param(k, v) for k, v in params.items()],
        tags=[tracker.entities.RunTag(k, v) for k, v in tags.items()],
    )
    run.params |= params
    run.tags |= tags
    run.metrics |= {k: math.nan if v is None else v for k, v in news.items()}
    run.times |= times
    return True


def _is_equal(held: float | None, value: float | None) -> bool:
    if held is None or math.isnan(held):
        return value is None
    return held == value


def terminate(tracker: Tracker, run: Run, status: str, end: int) -> bool:
    """End a run; whether it had not ended so already."""
    if (run.status, run.end) == (status, end):
        return False
    tracker.client.set_terminated(run.id, status, end)
    run.status, run.end = status, end
    return True
