"""Runs of MLflow: their state as far as it is known, and requests for the difference to the state wanted.

The client is handed in, so that MLflow itself is imported in ``mirror.py`` alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeper.tracking.projection import CurveValue, Summary


@dataclass(frozen=True, slots=True)
class Tracker:
    """Connection to MLflow.

    Attributes:
        client: an ``mlflow.MlflowClient``.
        entities: the module ``mlflow.entities``.
    """

    client: Any
    entities: Any


@dataclass(slots=True)
class Run:
    """State of a run in MLflow, as far as it is known here.

    Attributes:
        id: MLflow's id of the run.
        status: ``RUNNING``, ``FINISHED``, ``FAILED`` or ``KILLED``.
        end: milliseconds since 1970; None while it runs.
        params: name to value, which MLflow does not change any more.
        tags: name to value.
        metrics: name to the latest value.
        times: name of a metric to the milliseconds since 1970 of its latest value.
    """

    id: str
    status: str = "RUNNING"
    end: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)


def create(tracker: Tracker, experiment: str, start: int, name: str, tags: Mapping[str, str]) -> Run:
    """Create a run. A second call creates a second run, so look for the run first.

    Args:
        tracker: the connection.
        experiment: id of the experiment.
        start: milliseconds since 1970.
        name: name of the run.
        tags: tags of the run from its start.
    """
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
    """Send in one request what differs from the known state of the run.

    MLflow writes params once, so a param that the run has is left alone. MLflow writes tags last: with the digest among
    them, they say that all before has arrived.

    Args:
        tracker: the connection.
        run: the run; its known state is brought up to date.
        params: params of the run.
        tags: tags of the run.
        summary: metrics with one value; None shows as NaN.
        time: milliseconds since 1970, for ``summary``.
        curves: values of curves, all of them new.

    Returns:
        Whether there was anything to send.
    """
    params = {k: v for k, v in (params or {}).items() if k not in run.params}
    tags = {k: v for k, v in (tags or {}).items() if run.tags.get(k) != v}
    metrics = [tracker.entities.Metric(m.key, m.value, m.time, m.step) for m in curves]
    changed = {k: v for k, v in (summary or {}).items() if not _is_equal(run.metrics.get(k), v)}
    # Of two values the later counts, so one that replaces another comes just after it.
    times = {key: max(time, run.times.get(key, -1) + 1) for key in changed}
    for key, value in changed.items():
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
    run.metrics |= {k: math.nan if v is None else v for k, v in changed.items()}
    run.times |= times
    return True


def _is_equal(shown: float | None, value: float | None) -> bool:
    """Return whether a metric shows ``value``; NaN and an absent metric both show None."""
    if shown is None or math.isnan(shown):
        return value is None
    return shown == value


def terminate(tracker: Tracker, run: Run, status: str, end: int) -> bool:
    """End a run.

    Args:
        tracker: the connection.
        run: the run; its known state is brought up to date.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        end: milliseconds since 1970.

    Returns:
        Whether the run had not ended like that already.
    """
    if (run.status, run.end) == (status, end):
        return False
    tracker.client.set_terminated(run.id, status, end)
    run.status, run.end = status, end
    return True
