"""The state of a sweep: a frozen value that says what its directory holds at one moment.

A run reads it before it starts, after the sweep was repaired, and after training. Every step takes the value that it is
handed, and hands on a new one if it has changed files.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeVar

from results.store.commits import Commit, Footer, PointEnd, read_footer
from results.store.files import version_of
from results.store.generation import Generation, count_attempts, generation_of
from results.store.ledger import cause_files, durable_ends, read_cause, with_failures
from results.store.part_names import PartName, missing_parts
from results.store.parts import all_parts_in, read_consistent
from results.store.paths import AnyPath
from results.store.plan_file import PlanFile, read_grid, read_plan
from results.store.schema import COLUMNS
from results.store.sweep_dir import SweepDir, map_reads
from search_spaces.errors import InputError
from search_spaces.points import Point
from search_spaces.sections.grid import Grid

_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class SweepState:
    """A sweep as its directory held it at one moment.

    Attributes:
        directory: the sweep.
        grid: the grid of the latest run; None if there is none that can be read.
        plan: the plan of the latest run; None if there is none that can be read.
        footers: the footers of the parts that count and can be read, in the order of pack and sequence.
        lost: pack id to the sequence of its first missing part; the parts after that do not count.
        given_up: pack id to the cause for which the latest run gave it up.
        attempts: number of attempts at packs that had been made when the state was read.
        problems: path of each file that cannot be read, with the error that says why.
        versions: path of grid and plan to a token that changes whenever the file is rewritten.
    """

    directory: SweepDir
    grid: Grid | None
    plan: PlanFile | None
    footers: Mapping[PartName, Footer]
    lost: Mapping[str, int]
    given_up: Mapping[str, str]
    attempts: int
    problems: Mapping[AnyPath, InputError]
    versions: Mapping[AnyPath, Hashable]

    @cached_property
    def footers_by_pack(self) -> Mapping[str, Mapping[PartName, Footer]]:
        """The footers of each pack that has committed something."""
        by_pack: dict[str, dict[PartName, Footer]] = {}
        for name, footer in self.footers.items():
            by_pack.setdefault(name.pack, {})[name] = footer
        return by_pack

    @cached_property
    def commits(self) -> Mapping[PartName, Commit]:
        """The commits of the parts, in the order of ``footers``."""
        return {name: footer.commit for name, footer in self.footers.items()}

    @cached_property
    def generation(self) -> Generation:
        """What the parts that can be read are, for files that are made of them."""
        return generation_of(self.attempts, self.footers)

    @cached_property
    def further_columns(self) -> Sequence[str]:
        """Columns of the rows beyond those of ``results.store.schema``: the further axes, in order of appearance."""
        distinct = {id(footer.columns): footer.columns for footer in self.footers.values()}  # mostly one
        known = {column.name for column in COLUMNS}
        return list(dict.fromkeys(name for columns in distinct.values() for name in columns.names if name not in known))

    @cached_property
    def pack_points(self) -> Mapping[str, Sequence[str]]:
        """Pack id to the ids of its points, as planned; empty without a plan."""
        return self.plan.pack_points if self.plan else {}

    @cached_property
    def ends(self) -> Mapping[str, PointEnd]:
        """Point id to its end, as the parts have it."""
        return {end.point: end for commit in self.commits.values() for end in commit.ends}

    @cached_property
    def ledger(self) -> Mapping[str, PointEnd]:
        """Point id to its end; points of packs that were given up count as failed."""
        return with_failures(self.ends, self.given_up, self.pack_points)

    @cached_property
    def durable_ends(self) -> Mapping[str, PointEnd]:
        """Point id to its end, without the ends that a crash may take back."""
        return durable_ends(self.commits)

    def missing(self, points: Sequence[Point]) -> list[Point]:
        """Select the points that have not ended."""
        return [point for point in points if point.id not in self.ends]

    def required_plan(self) -> PlanFile:
        """The plan.

        Raises:
            InputError: there is none that can be read.
        """
        if self.plan is None:
            raise self.problems[self.directory.plan]
        return self.plan

    def required_grid(self) -> Grid:
        """The grid.

        Raises:
            InputError: there is none that can be read.
        """
        if self.grid is None:
            raise self.problems[self.directory.grid]
        return self.grid

    @property
    def problems_of_ledger(self) -> Mapping[AnyPath, InputError]:
        """Files that cannot be read and may say which points have ended: parts, and causes of packs given up."""
        others = {self.directory.plan, self.directory.grid}
        return {path: problem for path, problem in self.problems.items() if path not in others}

    def refuse_unknown_ends(self) -> None:
        """Refuse a state that does not know all ends.

        Raises:
            InputError: the first problem of a part, or of a pack that was given up.
        """
        for problem in self.problems_of_ledger.values():
            raise problem


def read_state(directory: SweepDir, earlier: SweepState | None = None) -> SweepState:
    """Read what a sweep holds now. A file that cannot be read is a problem of the state, not an error.

    Args:
        directory: the sweep.
        earlier: a state of the same sweep, whose grid and plan are taken over unless they were rewritten, and whose
            footers always, since a part never changes under its name: of 10,000 parts that saves a second.
    """
    problems: dict[AnyPath, InputError] = {}
    versions = {path: _version(path) for path in (directory.grid, directory.plan)}

    def tolerant(path: AnyPath, read: Callable[[], _Result]) -> _Result | None:
        try:
            return read()
        except InputError as error:
            problems[path] = error
            return None

    def current(path: AnyPath, known: _Result | None, read: Callable[[SweepDir], _Result]) -> _Result | None:
        same = earlier is not None and known is not None and earlier.versions[path] == versions[path]
        return known if same else tolerant(path, partial(read, directory))

    grid = current(directory.grid, earlier.grid if earlier else None, read_grid)
    plan = current(directory.plan, earlier.plan if earlier else None, read_plan)
    causes = {path.stem: tolerant(path, partial(read_cause, path)) for path in cause_files(directory)}
    known, attempts = earlier.footers if earlier else {}, count_attempts(directory)  # before the parts are listed
    names = tolerant(directory.rows, partial(all_parts_in, directory)) or []
    footers = read_consistent(directory, partial(_read_footers, directory, known)) if names else {}
    problems |= {directory.rows / name.file: error for name, error in footers.items() if isinstance(error, InputError)}
    return SweepState(
        directory=directory,
        grid=grid,
        plan=plan,
        footers={name: footer for name, footer in footers.items() if isinstance(footer, Footer)},
        lost=dict(missing_parts(names)),
        given_up={pack: cause for pack, cause in causes.items() if cause is not None},
        attempts=attempts,
        problems=problems,
        versions=versions,
    )


def _version(path: AnyPath) -> Hashable:
    """A token that changes whenever the file is rewritten; None if it is absent."""
    try:
        return version_of(path)
    except FileNotFoundError:
        return None


def _read_footers(
    directory: SweepDir, known: Mapping[PartName, Footer], names: Sequence[PartName]
) -> dict[PartName, Footer | InputError]:
    """The footer of each part, or the error that reading it raised."""

    def read(name: PartName) -> Footer | InputError:
        try:
            return known.get(name) or read_footer(directory, name)
        except InputError as error:
            return error

    return dict(zip(names, map_reads(directory, read, names), strict=True))
