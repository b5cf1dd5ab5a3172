"""The status of a sweep: how far it is, who runs it, what is wrong. Read from its files alone."""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from results.store.commits import PointEnd
from results.store.files import open_parquet
from results.store.state import SweepState
from results.store.sweep_dir import SweepDir, files_of
from search_spaces.errors import reason
from sweeper.lock.lock import holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status of a sweep.

    Attributes:
        sweep: name of the sweep.
        created: time of its first run, ISO 8601.
        points: number of planned points.
        outcomes: number of ended points by outcome.
        missing: number of points that have not ended.
        under_way: unfinished packs that have committed something, with the number of their rows.
        eta_seconds: expected time of the training that is left, by the pace so far; None if unknown.
        running: the process that runs it at present, in words; None if there is none.
        given_up: pack id to the cause for which it is not tried again.
        damaged: file to what is wrong with it.
    """

    sweep: str
    created: str
    points: int
    outcomes: Mapping[str, int]
    missing: int
    under_way: Mapping[str, int]
    eta_seconds: float | None
    running: str | None
    given_up: Mapping[str, str]
    damaged: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """The status as a dict for ``json.dumps``, with the number of packs under way and of their rows."""
        under_way = {"packs": len(self.under_way), "rows": sum(self.under_way.values())}
        return asdict(self) | {"under_way": under_way}


def status_of(state: SweepState) -> Status:
    """Derive the status of a sweep from its plan, the names of its parts, and their footers.

    Raises:
        InputError: no sweep lies there, or its plan cannot be read.
    """
    directory, plan, ends = state.directory, state.required_plan(), state.ends
    left = [point for point in plan.points if point not in ends]
    planned = {point.id: pack for pack in plan.packs for point in pack.points}
    packs = Counter(planned[point].id for point in left if point in planned)  # to the points that they have left
    begun = _begun(state, packs)
    per_point = {pack.id: pack.cost.steps / len(pack.points) for pack in plan.packs}
    steps = sum(count * max(0.0, per_point[p] - (begun[p].step if p in begun else 0)) for p, count in packs.items())
    speed = _steps_per_second(ends.values(), {pack: (so_far, packs[pack]) for pack, so_far in begun.items()})
    return Status(
        sweep=directory.name,
        created=plan.created,
        points=len(plan.points),
        outcomes=dict(Counter(str(end.outcome) for end in ends.values())),
        missing=len(left),
        under_way={pack: so_far.rows for pack, so_far in begun.items()},
        eta_seconds=round(steps / speed / max(1, plan.workers), 1) if speed and steps else None,
        running=holder(directory),
        given_up=dict(state.given_up),
        damaged=_damaged(state),
    )


def _damaged(state: SweepState) -> dict[str, str]:
    """Each file that is lost or cannot be read, with what is wrong."""
    lost = {f"{pack}-…-{number:05d}-….parquet": "is missing" for pack, number in state.lost.items()}
    return lost | {path.name: reason(problem, str(path)) for path, problem in state.problems_of_ledger.items()}


class _SoFar(NamedTuple):
    """The progress that a pack has committed.

    Attributes:
        rows: number of its rows.
        step: the last step.
        seconds: training time until then.
    """

    rows: int = 0
    step: int = 0
    seconds: float = 0.0


def _begun(state: SweepState, unfinished: Collection[str]) -> dict[str, _SoFar]:
    """The progress of each unfinished pack that has committed something."""
    begun: dict[str, _SoFar] = {}
    for name in state.footers:
        if name.pack in unfinished:
            path = state.directory.rows / name.file
            # Replaced meanwhile; or damaged, which ``Status.damaged`` says.
            with suppress(FileNotFoundError, pa.ArrowException, OSError, ValueError), open_parquet(path) as file:
                before, metadata = begun.get(name.pack, _SoFar()), file.metadata
                begun[name.pack] = _SoFar(
                    before.rows + metadata.num_rows,
                    max(before.step, int(_largest(metadata, "step"))),
                    max(before.seconds, _largest(metadata, "seconds")),
                )
    return begun


def _largest(metadata: pq.FileMetaData, column: str) -> float:
    """The largest value of a column by the footer; 0 for a part without rows."""
    at = metadata.schema.names.index(column)
    statistics = [metadata.row_group(k).column(at).statistics for k in range(metadata.num_row_groups)]
    return max((float(s.max) for s in statistics if s is not None and s.has_min_max), default=0.0)


def disk_usage(directory: SweepDir) -> dict[str, int]:
    """Return the bytes of the parts, of the checkpoints and of the whole directory."""
    sizes = {"rows": 0, "checkpoints": 0, "in all": 0}
    for path, size in files_of(directory).items():
        sizes["in all"] += size
        if path.parent.name in sizes:
            sizes[path.parent.name] += size
    return sizes


def _steps_per_second(ends: Collection[PointEnd], begun: Mapping[str, tuple[_SoFar, int]]) -> float:
    """Steps of points a second and worker, over ended points and unfinished packs with the number of open points."""
    seconds: dict[tuple[str, int], float] = {}
    for end in ends:
        if end.pack not in begun:
            key = (end.pack, end.attempt)
            seconds[key] = max(seconds.get(key, 0.0), end.seconds)
    total = sum(seconds.values()) + sum(so_far.seconds for so_far, _ in begun.values())
    steps = sum(end.steps for end in ends) + sum(so_far.step * left for so_far, left in begun.values())
    return steps / total if total else 0.0
