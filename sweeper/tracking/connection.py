"""The runs of a sweep in MLflow: found or created, one for each point, and brought up to date.

The module ``mlflow`` is handed in, so that MLflow itself is imported in ``mirror.py`` alone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from results.store.commits import PointEnd
from results.store.paths import AnyPath
from sweeper.tracking.database import artifacts_uri, prepare_database, sqlite_file
from sweeper.tracking.page import EXPERIMENT_TAGS, experiment_note
from sweeper.tracking.projection import PointRecord, Summary, SweepRecord, training_digest
from sweeper.tracking.runs import Run, Tracker, create, terminate, update

_DATABASE = re.compile("(sqlite|postgresql|mysql|mssql)[+:]")
_RUNS_PER_REQUEST = 200  # of a search: MLflow takes 4 ms for one run, of the 10 s that it has to answer
_SPARE_PAGES = 10  # of a search, for runs that are there twice, and for points of earlier plans
_BEGUN = "sweeper.begun"  # tag of a child run from its start: digest of the training whose curves it is made for
_SENT = "sweeper.digest"  # tag of a child run whose curves have arrived whole


@dataclass(slots=True)
class TrackedSweep:
    """State of a sweep in MLflow, as far as it is known here.

    Attributes:
        tracker: the connection.
        experiment: id of the experiment.
        parent: run of the sweep.
        children: point id to the run of the point.
    """

    tracker: Tracker
    experiment: str
    parent: Run
    children: dict[str, Run]

    def has_curves(self, end: PointEnd) -> bool:
        """Return whether all that depends on the rows of a point has arrived."""
        run = self.children.get(end.point)
        return run is not None and bool(run.params) and run.tags.get(_SENT) == training_digest(end)

    def reopen(self) -> None:
        """Show the sweep as running again if its parent run has ended."""
        if self.parent.status != "RUNNING":
            self.tracker.client.update_run(self.parent.id, status="RUNNING")
            self.parent.status = "RUNNING"

    def send_point(self, sweep: SweepRecord, record: PointRecord, summary: Summary) -> bool:
        """Bring the child run of a point up to date with its record.

        Args:
            sweep: record of the sweep.
            record: record of the point.
            summary: metrics of the whole point.

        Returns:
            Whether anything had to be sent.
        """
        tags = {"sweeper.id": sweep.id, "sweeper.point": record.point, "mlflow.parentRunId": self.parent.id}
        tags |= record.tags
        run = self.children.get(record.point)
        if run is not None and {run.tags.get(_BEGUN), run.tags.get(_SENT)} - {None, record.digest}:
            # The point was trained again: curves that arrived, even in part, would lie beside others of other times.
            # MLflow cannot remove measurements, so the old run goes as a whole.
            self.tracker.client.delete_run(run.id)
            run = None
        if run is None:
            run = create(self.tracker, self.experiment, sweep.start, record.name, tags | {_BEGUN: record.digest})
            self.children[record.point] = run
        changed = update(
            self.tracker,
            run,
            params=record.params,
            tags=tags | {_SENT: record.digest},
            summary=summary,
            time=record.end,
            curves=() if _SENT in run.tags else record.curves,
        )
        return terminate(self.tracker, run, "FAILED" if record.failed else "FINISHED", record.end) or changed


def connect(
    library: Any, uri: str, sweep: SweepRecord, out: AnyPath, step: Callable[[], None] = lambda: None
) -> TrackedSweep:
    """Find the runs of a sweep with one search, however many points there are; create what is absent.

    The experiment and the parent run are created here, child runs when their points are sent.

    Args:
        library: the module ``mlflow``.
        uri: address of MLflow.
        sweep: record of the sweep.
        out: folder of sweeps; artifacts go below it where MLflow has no server.
        step: is called when a page of the search has arrived.

    Raises:
        ValueError: the experiment was deleted, or the search has no end.
    """
    prepare_database(library, uri)
    if file := sqlite_file(uri):
        out = file.parent
    # A server has its own place for artifacts; without one MLflow would take the working directory.
    artifacts = f"{artifacts_uri(out)}/{sweep.name}" if _DATABASE.match(uri) else None
    tracker = Tracker(library.MlflowClient(uri), library.entities)
    experiment = _experiment_id(tracker.client, sweep.name, artifacts)
    runs_by_point: dict[str, list[Run]] = {}
    for run in _search_runs(tracker.client, experiment, sweep, step):
        runs_by_point.setdefault(run.tags.get("sweeper.point", ""), []).append(run)
    runs = {point: _keep_one(tracker.client, twins) for point, twins in runs_by_point.items()}
    parent = runs.pop("", None) or create(tracker, experiment, sweep.start, sweep.name, sweep.tags)
    return TrackedSweep(tracker, experiment, parent, runs)


def _experiment_id(client: Any, name: str, artifacts: str | None) -> str:
    """Return the id of an experiment, which is created if it is absent.

    Raises:
        ValueError: it was deleted.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            experiment = str(client.create_experiment(name, artifacts, tags=EXPERIMENT_TAGS))
        except Exception:  # another process may have created it just now
            if client.get_experiment_by_name(name) is None:
                raise
            return _experiment_id(client, name, artifacts)
        client.set_experiment_tag(experiment, "mlflow.note.content", experiment_note(experiment))
        return experiment
    if found.lifecycle_stage != "active":
        raise ValueError(f"its experiment '{name}' was deleted: restore it there, or give the sweep another name")
    return str(found.experiment_id)


def _search_runs(client: Any, experiment: str, sweep: SweepRecord, step: Callable[[], None]) -> Iterator[Run]:
    """Yield all runs of a sweep, request by request.

    Raises:
        ValueError: there are many more than the sweep has points.
    """
    query, token = f"tags.`sweeper.id` = '{sweep.id}'", None
    for _ in range(_SPARE_PAGES + 2 * sweep.points // _RUNS_PER_REQUEST):
        page = client.search_runs([experiment], query, max_results=_RUNS_PER_REQUEST, page_token=token)
        step()
        for run in page:
            info, data = run.info, run.data
            times = {metric.key: int(metric.timestamp) for metric in data.to_proto().metrics}
            yield Run(info.run_id, info.status, info.end_time, data.params, data.tags, data.metrics, times)
        token = page.token
        if not token:
            return
    raise ValueError(f"its list of the runs of this sweep has no end, though there are {sweep.points:,} points")


def _keep_one(client: Any, runs: list[Run]) -> Run:
    """Delete all but one run of a point, and return it; a complete one is preferred.

    Two exist after a request to a slow server was sent again.
    """
    best, *others = sorted(runs, key=lambda run: (_SENT not in run.tags, run.id))
    for run in others:
        client.delete_run(run.id)
    return best
