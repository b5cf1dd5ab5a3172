"""MLflow as a mirror of the sweep directory: filled from it during the sweep or afterwards, any number of times.

One experiment per sweep name, one parent run per sweep, one child run per point. Nothing is ever read back from
MLflow but what was sent already, so a tracker that was away, or is new, is brought up to date by the same call.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.store.commits import PointEnd
from results.store.files import local_copy, make_folder
from results.store.paths import AnyPath
from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.console import mask_secrets
from sweeper.tracking.address import ENVIRONMENT, artifacts_uri, page_of, without_secrets
from sweeper.tracking.page import EXPERIMENT, experiment_note
from sweeper.tracking.parallel import in_parallel
from sweeper.tracking.projection import (
    PointRecord,
    Summary,
    SweepRecord,
    point_records,
    summaries,
    sweep_record,
    training_of,
)
from sweeper.tracking.runs import Run, Tracker, create, terminate, update
from sweeper.tracking.summary import artifacts, digest_of, verdict_summary

__all__ = ["Mirror", "MirrorReport", "TrackingError", "mirror"]

_SQLITE = "sqlite:///"
_DATABASE = re.compile("(sqlite|postgresql|mysql|mssql)[+:]")
_TALKATIVE = ("alembic", "mlflow.store.db.utils")  # they announce each table that they make
_PAGE = 200  # runs a page of a search: MLflow takes 4 ms for one, of the 10 s that it has to answer
_THREADS = 4  # that send points: a server on the same two cores takes no more, one elsewhere is waited for less
_BEGUN = "sweeper.begun"  # on a child, from its start: digest of the training whose curves it is made for
_SENT = "sweeper.digest"  # on a child: those curves have arrived whole


class TrackingError(Exception):
    """MLflow could not be reached or refused; the message is one sentence, without passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReport:
    """What a mirror holds after a call.

    Attributes:
        uri: of the tracker, passwords masked.
        experiment: id of the experiment. run: id of the parent run.
        page: where a browser shows that run, if a server does.
        points: child runs. sent: those that were new or changed.
    """

    uri: str
    page: str | None
    experiment: str
    run: str
    points: int
    sent: int


@dataclass(slots=True)
class _Held:
    """What MLflow is known to hold of a sweep."""

    tracker: Tracker
    experiment: str
    parent: Run
    children: dict[str, Run]

    def has_curves(self, end: PointEnd) -> bool:
        """Whether all that depends on the rows of a point has arrived."""
        run = self.children.get(end.point)
        return run is not None and bool(run.params) and run.tags.get(_SENT) == training_of(end)


class Mirror:
    """One sweep in one tracker. For one thread at a time; making one costs nothing and asks nothing.

    Args:
        directory: the sweep.
        uri: of MLflow: ``default_uri(...)``, ``http://…``, or any database that it knows.
    """

    def __init__(self, directory: SweepDir, uri: str) -> None:
        self._directory = directory
        self._uri = uri
        self._held: _Held | None = None
        self._state: SweepState | None = None  # as it was last sent
        self._ends: dict[str, PointEnd] = {}

    def sync(self) -> int:
        """Send the points that ended since the last call, and return their number.

        Costs a listing of the part files when there are none, and 20 to 50 ms a point when there are.

        Raises:
            TrackingError: MLflow could not be reached or refused; the next call sends what is missing.
        """
        with self._errors():
            state = self._read()
            if (
                self._held is not None
                and self._state is not None
                and state.footers.keys() == self._state.footers.keys()
            ):
                return 0
            sweep = sweep_record(self._directory)
            held = self._connected(sweep)
            sent = self._send_points(held, sweep, state.durable_ends)
            if sent and held.parent.status != "RUNNING":
                held.tracker.client.update_run(held.parent.id, status="RUNNING")
                held.parent.status = "RUNNING"
            self._state = state
            return sent

    def finish(self, *, complete: bool = True) -> MirrorReport:
        """Bring everything up to date: points, their summaries after the analysis, verdicts, report and figures.

        Args:
            complete: whether all planned points have ended; if not, the parent run shows as killed.

        Raises:
            TrackingError: MLflow could not be reached or refused; calling again sends what is missing.
        """
        with self._errors():
            state = self._read()
            sweep, ends = sweep_record(self._directory), state.durable_ends
            held = self._connected(sweep)
            self._ends = {}  # a point may have got its params from the analysis
            sent = self._send_points(held, sweep, ends)
            end = sweep.start + round(max((e.seconds for e in ends.values()), default=0.0) * 1000)
            metrics, tags = verdict_summary(self._directory, state.ledger, held.experiment)
            files = artifacts(self._directory)
            if files and held.parent.tags.get("sweeper.artifacts") != digest_of(files):
                # A figure that is gone stays in MLflow, whose clients cannot remove it.
                for path, folder in files.items():
                    with local_copy(path) as file:
                        held.tracker.client.log_artifact(held.parent.id, str(file), folder or None)
                tags["sweeper.artifacts"] = digest_of(files)
            update(held.tracker, held.parent, tags=tags, summary=metrics, time=end)
            terminate(held.tracker, held.parent, "FINISHED" if complete else "KILLED", end)
            self._state = state
            return MirrorReport(
                uri=mask_secrets(self._uri),
                page=page_of(self._uri, held.experiment, held.parent.id),
                experiment=held.experiment,
                run=held.parent.id,
                points=len(held.children),
                sent=sent,
            )

    def _read(self) -> SweepState:
        """The present state; footers that were read before are not read again."""
        state = read_state(self._directory, self._state)
        state.refuse_unknown_ends()
        return state

    def _connected(self, sweep: SweepRecord) -> _Held:
        if self._held is None:
            self._ends = {}
            self._held = _connect(self._uri, sweep, self._directory.root.parent)
        parent = self._held.parent
        update(self._held.tracker, parent, params=sweep.params, tags=sweep.tags)
        return self._held

    def _send_points(self, held: _Held, sweep: SweepRecord, ends: Mapping[str, PointEnd]) -> int:
        new = {point: end for point, end in ends.items() if self._ends.get(point) != end}
        known = summaries(self._directory, new)
        told = {point for point, end in new.items() if held.has_curves(end)}
        sent: list[str] = []

        def send(record: PointRecord) -> None:
            if _send_point(held, sweep, record, known[record.point]):
                sent.append(record.point)
            self._ends[record.point] = new[record.point]

        threads = 1 if self._uri.startswith(_SQLITE) else _THREADS  # SQLite has one writer at a time
        in_parallel(send, point_records(self._directory, sweep, new, told), threads)
        if sent:
            update(held.tracker, held.parent, tags={"sweeper.points": str(len(held.children))})
        return len(sent)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever goes wrong between here and MLflow is one kind of error: a tracker is a luxury."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # MLflow lets errors of requests, urllib3, SQLAlchemy and others through
            self._held = None
            reason = without_secrets(_reason(error), self._uri)
            raise TrackingError(
                f"MLflow at {mask_secrets(self._uri)} could not be filled ({reason}); nothing is lost, "
                f"'sweeper track {self._directory.root}' sends what is missing."
            ) from None


def mirror(directory: SweepDir, uri: str, *, complete: bool = True) -> MirrorReport:
    """Replay a whole sweep into MLflow; twice gives the same as once. Arguments and errors as of ``Mirror``."""
    return Mirror(directory, uri).finish(complete=complete)


def _reason(error: Exception) -> str:
    """What a person needs of an error: for the network the system's own words, not the story of every attempt."""
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("psycopg"):
        return "PostgreSQL needs 'pip install psycopg2-binary' and an address of the form postgresql+psycopg2://…"
    lines = [line for line in str(error).splitlines() if not line.startswith("(raised as a result of")]  # SQLAlchemy's
    text = lines[0] if lines else type(error).__name__
    cause = re.search(r"Caused by .*?: (.*?)['\")]*$", text)
    return (cause.group(1) if cause else text)[:300].rstrip(".")


def _library() -> Any:
    """MLflow, imported only after its environment is set, because it reads some of it at import."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: PLC0415

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


def _connect(uri: str, sweep: SweepRecord, out: AnyPath) -> _Held:
    """The runs of a sweep; experiment and parent are made if absent. One search, whatever the number of points."""
    library = _library()
    if uri.startswith(_SQLITE):
        out = Path(uri.removeprefix(_SQLITE)).parent
        make_folder(out)  # MLflow would try ten times, for 100 s, to open a file in no folder
    # Where artifacts go: a server has a place of its own, and without one MLflow takes the working directory.
    local = f"{artifacts_uri(out)}/{sweep.name}" if _DATABASE.match(uri) else None
    tracker = Tracker(library.MlflowClient(uri), library.entities)
    experiment = _experiment(tracker.client, sweep.name, local)
    groups: dict[str, list[Run]] = {}
    for run in _search(tracker.client, experiment, sweep.id):
        groups.setdefault(run.tags.get("sweeper.point", ""), []).append(run)
    runs = {point: _keep_one(tracker.client, group) for point, group in groups.items()}
    parent = runs.pop("", None) or create(tracker, experiment, sweep.start, sweep.name, sweep.tags)
    return _Held(tracker, experiment, parent, runs)


def _experiment(client: Any, name: str, local: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        id_ = str(client.create_experiment(name, local, tags=EXPERIMENT))
        client.set_experiment_tag(id_, "mlflow.note.content", experiment_note(id_))
        return id_
    if found.lifecycle_stage != "active":
        raise ValueError(f"its experiment '{name}' was deleted: restore it there, or give the sweep another name")
    return str(found.experiment_id)


def _search(client: Any, experiment: str, sweep: str) -> Iterator[Run]:
    token = None
    while token != "":
        page = client.search_runs([experiment], f"tags.`sweeper.id` = '{sweep}'", max_results=_PAGE, page_token=token)
        for run in page:
            info, data = run.info, run.data
            times = {metric.key: int(metric.timestamp) for metric in data.to_proto().metrics}
            yield Run(info.run_id, info.status, info.end_time, data.params, data.tags, data.metrics, times)
        token = page.token or ""


def _keep_one(client: Any, runs: list[Run]) -> Run:
    """Of runs for the same point the whole one. Two exist after a request to a slow server was sent again."""
    best, *others = sorted(runs, key=lambda run: (_SENT not in run.tags, run.id))
    for run in others:
        client.delete_run(run.id)
    return best


def _send_point(held: _Held, sweep: SweepRecord, record: PointRecord, summary: Summary) -> bool:
    """Make the child run of a point what its record says; whether that took any change."""
    tags = {"sweeper.id": sweep.id, "sweeper.point": record.point, "mlflow.parentRunId": held.parent.id} | record.tags
    run = held.children.get(record.point)
    if run is not None and {run.tags.get(_BEGUN), run.tags.get(_SENT)} - {None, record.digest}:
        # The point was trained again: curves that arrived, even in part, would lie beside others of other times. MLflow
        # cannot remove measurements, so the old run goes as a whole.
        held.tracker.client.delete_run(run.id)
        run = None
    if run is None:
        run = create(held.tracker, held.experiment, sweep.start, record.name, tags | {_BEGUN: record.digest})
        held.children[record.point] = run
    curves = () if _SENT in run.tags else record.curves
    changed = update(
        held.tracker,
        run,
        params=record.params,
        tags=tags | {_SENT: record.digest},
        summary=summary,
        time=record.end,
        curves=curves,
    )
    return terminate(held.tracker, run, "FAILED" if record.failed else "FINISHED", record.end) or changed
