"""MLflow as a mirror of the sweep directory: filled from it during the sweep or afterwards, any number of times.

One experiment per sweep name, one parent run per sweep, one child run per point. Only what was sent before is read
back from MLflow, so a tracker that was away, or is new, is brought up to date by the same call.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.store.commits import PointEnd
from results.store.files import local_copy
from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError, command, one_line
from sweeper.addresses import mask_secrets, without_secrets
from sweeper.tracking.answers import bound_answers
from sweeper.tracking.connection import TrackedSweep, connect
from sweeper.tracking.database import default_uri, prepare_database, sqlite_file
from sweeper.tracking.page import run_page
from sweeper.tracking.parallel import in_parallel
from sweeper.tracking.patience import FILE_SECONDS, SERVER_SECONDS, in_time, try_again
from sweeper.tracking.projection import PointRecord, SweepRecord, point_records, summaries, sweep_record
from sweeper.tracking.runs import terminate, update
from sweeper.tracking.server import ENVIRONMENT
from sweeper.tracking.summary import artifacts, files_digest, verdict_summary
from sweeper.user_environment import ensure_home

# They announce each table that they create, and print every error, with what a server says; ``TrackingError`` says it.
_NOISY_LOGGERS = ("alembic", "mlflow.store.db.utils", "mlflow.utils.rest_utils", "urllib3")
_THREADS = 4  # that send points: a server on the same two cores takes no more, one elsewhere is waited for less


class TrackingError(Exception):
    """MLflow could not be reached or refused; the message is one sentence, without passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReport:
    """State of a mirror after a call.

    Attributes:
        uri: address of the tracker, passwords masked.
        page: address of the parent run in a browser; None if no server shows it.
        experiment: id of the experiment.
        run: id of the parent run.
        points: number of child runs.
        sent: number of child runs that were new or changed.
    """

    uri: str
    page: str | None
    experiment: str
    run: str
    points: int
    sent: int


class Mirror:
    """Mirror of one sweep in one tracker, for one thread at a time.

    Creating one sends no request.

    Args:
        directory: the sweep directory.
        uri: address of MLflow: ``default_uri(...)``, ``http://…``, or any database that it knows.
    """

    def __init__(self, directory: SweepDir, uri: str) -> None:
        self._directory = directory
        self._uri = uri
        self._tracked: TrackedSweep | None = None
        self._synced: SweepState | None = None  # the state that was sent last
        self._sent_ends: dict[str, PointEnd] = {}
        self._steps = 0  # that MLflow has taken: points, files, and pages of a search

    def sync(self) -> int:
        """Send the points that ended since the last call, and return their number.

        Costs a listing of the part files when there are none, and 20 to 50 ms a point when there are.

        Raises:
            TrackingError: MLflow could not be reached or refused; the next call sends what is missing.
        """
        with self._errors():
            state = self._present_state()
            if self._tracked and self._synced and state.footers.keys() == self._synced.footers.keys():
                return 0
            sweep = sweep_record(state)
            tracked = self._connected(sweep)
            sent = self._send_points(tracked, sweep, state.durable_ends)
            if sent:
                tracked.reopen()
            self._synced = state
            return sent

    def finish(self, *, complete: bool = True) -> MirrorReport:
        """Bring everything up to date: points, their summaries after the analysis, verdicts, report and figures.

        Args:
            complete: whether all planned points have ended; if not, the parent run shows as killed.

        Raises:
            TrackingError: MLflow could not be reached or refused; calling again sends what is missing.
        """
        with self._errors():
            state = self._present_state()
            sweep, ends = sweep_record(state), state.durable_ends
            tracked = self._connected(sweep)
            self._sent_ends = {}  # a point may have got its params from the analysis
            sent = self._send_points(tracked, sweep, ends)
            end = sweep.start + round(max((e.seconds for e in ends.values()), default=0.0) * 1000)
            self._send_findings(tracked, state, end)
            terminate(tracked.tracker, tracked.parent, "FINISHED" if complete else "KILLED", end)
            self._synced = state
            return MirrorReport(
                uri=mask_secrets(self._uri),
                page=run_page(self._uri, one_line(tracked.experiment), one_line(tracked.parent.id)),
                experiment=one_line(tracked.experiment),
                run=tracked.parent.id,
                points=len(tracked.children),
                sent=sent,
            )

    def finish_in_time(
        self, say: Callable[[str], None], *, complete: bool = True, before: Callable[[], object] = lambda: None
    ) -> MirrorReport:
        """Do the same as ``finish`` within seconds, or give up.

        Args:
            say: is called with a line for the screen if it takes more than a few seconds.
            complete: whether all planned points have ended.
            before: is called first, within the same time.

        Raises:
            TrackingError: MLflow could not be reached, refused, or took too long.
        """
        seconds = FILE_SECONDS if sqlite_file(self._uri) else SERVER_SECONDS
        note = (
            f"sending the sweep to MLflow at {mask_secrets(self._uri)}, which has {seconds:g} s and one more for "
            "each point that it takes (Ctrl-C does not wait)"
        )

        def work() -> MirrorReport:
            before()
            return try_again(lambda: self.finish(complete=complete), TrackingError)

        with self._errors():
            return in_time(work, seconds, lambda: self._steps, lambda: say(note))

    def _present_state(self) -> SweepState:
        """Read the state of the sweep; footers that were read before are not read again."""
        state = read_state(self._directory, self._synced)
        state.refuse_unknown_ends()
        return state

    def _connected(self, sweep: SweepRecord) -> TrackedSweep:
        """Return the sweep in MLflow, its grid up to date; connect first if there is no connection."""
        if self._tracked is None:
            self._sent_ends = {}
            self._tracked = connect(_import_mlflow(), self._uri, sweep, self._directory.root.parent, self._step)
        update(self._tracked.tracker, self._tracked.parent, params=sweep.params, tags=sweep.tags)
        return self._tracked

    def _step(self) -> None:
        self._steps += 1

    def _send_points(self, tracked: TrackedSweep, sweep: SweepRecord, ends: Mapping[str, PointEnd]) -> int:
        """Send the points whose ends are new, and return how many child runs changed."""
        new = {point: end for point, end in ends.items() if self._sent_ends.get(point) != end}
        summary_of = summaries(self._directory, new)
        complete = {point for point, end in new.items() if tracked.has_curves(end)}
        sent: list[str] = []

        def send(record: PointRecord) -> None:
            if tracked.send_point(sweep, record, summary_of[record.point]):
                sent.append(record.point)
            self._sent_ends[record.point] = new[record.point]
            self._step()

        threads = 1 if sqlite_file(self._uri) else _THREADS  # SQLite has one writer at a time
        in_parallel(send, point_records(self._directory, sweep, new, complete), threads)
        if sent:
            update(tracked.tracker, tracked.parent, tags={"sweeper.points": str(len(tracked.children))})
        return len(sent)

    def _send_findings(self, tracked: TrackedSweep, state: SweepState, end: int) -> None:
        """Send outcomes, verdicts, report and figures to the parent run, which ended at ``end``."""
        metrics, tags = verdict_summary(self._directory, state.ledger, tracked.experiment)
        files = artifacts(self._directory)
        if files and tracked.parent.tags.get("sweeper.artifacts") != files_digest(files):
            # A figure that is gone stays in MLflow, whose clients cannot remove it.
            for path, folder in files.items():
                with local_copy(path) as file:
                    tracked.tracker.client.log_artifact(tracked.parent.id, str(file), folder or None)
                self._step()
            tags["sweeper.artifacts"] = files_digest(files)
        update(tracked.tracker, tracked.parent, tags=tags, summary=metrics, time=end)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn every error on the way to MLflow into a ``TrackingError``: a sweep does not depend on its tracker."""
        try:
            yield
        except (InputError, TrackingError):
            raise
        except Exception as error:  # MLflow lets errors of requests, urllib3, SQLAlchemy and others through
            self._tracked = None
            reason = one_line(_reason(without_secrets(_line(error), self._uri)))
            raise TrackingError(
                f"MLflow at {mask_secrets(self._uri)} could not be filled ({reason}); nothing is lost, "
                f"{command('sweeper', 'track', self._directory.root)} sends what is missing."
            ) from None


def mirror(directory: SweepDir, uri: str, *, complete: bool = True) -> MirrorReport:
    """Replay a whole sweep into MLflow; a second call changes nothing.

    Args:
        directory: the sweep directory.
        uri: address of MLflow, as for ``Mirror``.
        complete: whether all planned points have ended; if not, the parent run shows as killed.

    Raises:
        TrackingError: MLflow could not be reached or refused; calling again sends what is missing.
    """
    return Mirror(directory, uri).finish(complete=complete)


def prepare(out: Path) -> None:
    """Bring the default file of a folder of sweeps into the state that MLflow's server expects.

    Raises:
        InputError: it cannot be read or written.
    """
    uri = default_uri(out)
    try:
        prepare_database(_import_mlflow(), uri)
    except Exception as error:
        raise InputError(f"{sqlite_file(uri)}: MLflow cannot open it ({one_line(_line(error))}).") from None


def _import_mlflow() -> Any:
    """Import MLflow after its environment is set, because it reads some of it at import."""
    ensure_home()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow.store.db.utils  # noqa: PLC0415 - for ``database.py``
    from mlflow.utils import request_utils  # noqa: PLC0415

    bound_answers(request_utils.TCPKeepAliveHTTPAdapter)
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return mlflow


def _line(error: Exception) -> str:
    """Return the line of an error that helps a person."""
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("psycopg"):
        return "PostgreSQL needs 'pip install psycopg2-binary' and an address of the form postgresql+psycopg2://…"
    lines = [line for line in str(error).splitlines() if not line.startswith("(raised as a result of")]  # SQLAlchemy's
    return lines[0] if lines else type(error).__name__


def _reason(line: str) -> str:
    """Return what a line says; for the network the system's words, not every attempt."""
    cause = re.search(r"Caused by .*?: (.*)", line)
    return (cause.group(1).rstrip("'\")") if cause else line).rstrip(".")
