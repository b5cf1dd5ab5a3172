"""How far a sweep is, from its files alone: what ``sweeper status`` prints once and ``sweeper watch`` follows."""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from results.store.commits import Commit, PointEnd, read_commit
from results.store.files import open_parquet
from results.store.ledger import given_up
from results.store.part_names import PartName, missing_parts, valid_parts
from results.store.parts import all_parts_in, valid_parts_in
from results.store.paths import AnyPath
from results.store.plan_file import read_plan
from results.store.sweep_dir import SweepDir, files_of, map_reads
from search_spaces.errors import InputError, reason
from sweeper.lock.lock import holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a sweep is.

    Attributes:
        sweep: its name.
        created: when it was first run.
        points: planned.
        outcomes: number of ended points by outcome.
        missing: points that have not ended.
        under_way: packs that have committed something and have points that have not ended, to their rows.
        eta_seconds: of training that is left, by the pace so far; None if not known.
        running: who runs it at present, in words; None if nobody.
        given_up: pack to why it is not tried again.
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
        """A dict for ``json.dumps``; packs under way as their number and their rows."""
        under_way = {"packs": len(self.under_way), "rows": sum(self.under_way.values())}
        return asdict(self) | {"under_way": under_way}


def status_of(root: AnyPath) -> Status:
    """Of the sweep in a folder, from its plan, names and footers."""
    directory = SweepDir(root)
    file = read_plan(directory)
    ends, damaged = _readable_ends(directory)
    left = [p for p in file.points if p not in ends]
    planned = {p.id: pack for pack in file.packs for p in pack.points}
    packs = Counter(planned[i].id for i in left if i in planned)  # to the points that they have left
    begun = _begun(directory, packs)
    per_point = {pack.id: pack.cost.steps / len(pack.points) for pack in file.packs}
    steps = sum(count * max(0.0, per_point[p] - (begun[p].step if p in begun else 0)) for p, count in packs.items())
    speed = _steps_per_second(ends.values(), {pack: (so_far, packs[pack]) for pack, so_far in begun.items()})
    return Status(
        sweep=root.name,
        created=file.created,
        points=len(file.points),
        outcomes=dict(Counter(str(end.outcome) for end in ends.values())),
        missing=len(left),
        under_way={pack: so_far.rows for pack, so_far in begun.items()},
        eta_seconds=round(steps / speed / max(1, file.workers), 1) if speed and steps else None,
        running=holder(directory),
        given_up=given_up(directory),
        damaged=damaged,
    )


def _readable_ends(directory: SweepDir) -> tuple[dict[str, PointEnd], dict[str, str]]:
    """The ledger without what cannot be read, and of that each file with what is wrong, by names and footers."""
    names = all_parts_in(directory)
    ends: dict[str, PointEnd] = {}
    damaged = {f"{pack}-…-{number:05d}-….parquet": "is missing" for pack, number in missing_parts(names)}

    def read(name: PartName) -> Commit | InputError:
        try:
            return read_commit(directory, name)
        except InputError as error:
            return error

    counted = valid_parts(names)
    try:
        commits = map_reads(directory, read, counted)
    except FileNotFoundError:
        return _readable_ends(directory)  # replaced since it was listed
    for name, commit in zip(counted, commits, strict=True):
        if isinstance(commit, InputError):
            damaged[name.file] = reason(commit, str(directory.rows / name.file))
        else:
            ends |= {end.point: end for end in commit.ends}
    return ends, damaged


class _SoFar(NamedTuple):
    """What a pack has committed: rows, the last step, and the seconds that it has trained until then."""

    rows: int = 0
    step: int = 0
    seconds: float = 0.0


def _begun(directory: SweepDir, unfinished: Collection[str]) -> dict[str, _SoFar]:
    """Unfinished packs that have committed something."""
    begun: dict[str, _SoFar] = {}
    for name in valid_parts_in(directory):
        if name.pack in unfinished:
            path = directory.rows / name.file
            # Replaced meanwhile, or damaged: said above.
            with suppress(FileNotFoundError, pa.ArrowException, OSError, ValueError), open_parquet(path) as file:
                before, metadata = begun.get(name.pack, _SoFar()), file.metadata
                begun[name.pack] = _SoFar(
                    before.rows + metadata.num_rows,
                    max(before.step, int(_largest(metadata, "step"))),
                    max(before.seconds, _largest(metadata, "seconds")),
                )
    return begun


def _largest(metadata: pq.FileMetaData, column: str) -> float:
    """The largest value of a column, as the footer has it; 0 of a part without rows."""
    at = metadata.schema.names.index(column)
    statistics = [metadata.row_group(k).column(at).statistics for k in range(metadata.num_row_groups)]
    return max((float(s.max) for s in statistics if s is not None and s.has_min_max), default=0.0)


def disk_usage(directory: SweepDir) -> dict[str, int]:
    """Sizes of the parts, the checkpoints and the whole folder."""
    sizes = {"rows": 0, "checkpoints": 0, "in all": 0}
    for path, size in files_of(directory).items():
        sizes["in all"] += size
        if path.parent.name in sizes:
            sizes[path.parent.name] += size
    return sizes


def _steps_per_second(ends: Collection[PointEnd], begun: Mapping[str, tuple[_SoFar, int]]) -> float:
    """Steps of points a second and worker, over packs that have ended points or are ``begun``, with so many left."""
    seconds: dict[tuple[str, int], float] = {}
    for end in ends:
        if end.pack not in begun:
            key = (end.pack, end.attempt)
            seconds[key] = max(seconds.get(key, 0.0), end.seconds)
    total = sum(seconds.values()) + sum(so_far.seconds for so_far, _ in begun.values())
    steps = sum(end.steps for end in ends) + sum(so_far.step * left for so_far, left in begun.values())
    return steps / total if total else 0.0
