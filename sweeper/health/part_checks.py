"""Checks of parts and checkpoints: each by itself, then the parts that count against each other."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from results.store.commits import read_commits
from results.store.part_names import PartName, missing_parts, valid_parts
from results.store.parts import read_part
from results.store.schema import COLUMNS, RANGES
from search_spaces.errors import InputError, reason
from search_spaces.outcome import Outcome
from sweeper.health.damage import find_defects
from sweeper.health.inspection import Fault
from sweeper.health.inventory import Inventory
from sweeper.worker.checkpoints import load_checkpoint, restart_after

# Columns whose values are checked, here or by ``read_part``.
_CHECKED = ["point", "pack", *(column.name for column in COLUMNS if column.name in RANGES)]


class PartChecks:
    """The parts of a sweep.

    Attributes:
        names: names of all parts on the disk.
        rows: number of rows that count.
        ends: point id to the pack that it ended in.
    """

    def __init__(self, inventory: Inventory, packs: Mapping[str, Sequence[str]]) -> None:
        """Read all parts, the rows of one pack at a time.

        Args:
            inventory: files and state of the sweep.
            packs: pack id to the ids of its points; empty if the plan is lost.
        """
        state = inventory.state
        self._directory, self._packs = state.directory, packs
        self._checkpoints = {path.name for path in inventory.checkpoints}
        self.names = [name for name in inventory.part_names.values() if name]
        self._strangers = [file for file, name in inventory.part_names.items() if not name]
        self._missing, self._valid = missing_parts(self.names), set(valid_parts(self.names))
        self._wrong, self._foreign = find_defects(self._directory, self.names, state.footers)
        self._commits = {name: commit for name, commit in state.commits.items() if name not in self._wrong}
        self.rows, self.ends, self._owner = 0, dict[str, str](), dict[str, str]()
        for _, names in groupby(self._commits, key=lambda name: name.pack):  # by pack, as ``valid_parts`` gives them
            self._check_pack(list(names))

    def faults(self) -> Iterator[Fault]:
        """Yield the faults of parts and checkpoints."""
        for file in self._strangers:
            why = "not written by sweeper, and in the way of reading the table; move it out of the folder"
            yield Fault(file=f"rows/{file}", why=why, repairable=False)
        for name in sorted(self._foreign):
            why = "of another version of this program; read it with the sweeper that wrote it"
            yield Fault(file=f"rows/{name.file}", why=why, repairable=False)
        for name, why in sorted(self._wrong.items()):
            yield Fault(file=f"rows/{name.file}", why=why, again=self._again(name.pack))
        for pack, number in self._missing:
            why = "is missing; what was built on it does not count"
            yield Fault(file=f"rows/{pack}-…-{number:05d}-….parquet", why=why, again=self._again(pack))
        yield from self._checkpoint_faults()

    def waste(self) -> list[PartName]:
        """List the intact parts that do not count."""
        return sorted(set(self.names) - self._valid - self._wrong.keys())

    def _checkpoint_faults(self) -> Iterator[Fault]:
        """Yield the missing and damaged checkpoints of unfinished packs whose parts are sound."""
        ill = {name.pack for name in self._wrong} | {pack for pack, _ in self._missing}
        last = {name.pack: commit for name, commit in self._commits.items()}
        for pack, commit in sorted(last.items()):
            name = commit.checkpoint
            if pack in ill or commit.finished or name is None or not (again := self._again(pack)):
                continue
            file = f"checkpoints/{PurePath(name).name}"
            if name not in self._checkpoints:
                yield Fault(file=file, why="is missing", again=again)
            elif load_checkpoint(self._directory, name) is None:
                yield Fault(
                    file=file, why="its content is not what its name says, or no state of training", again=again
                )

    def _again(self, pack: str) -> str:
        """The work of a pack that the next run repeats once the damaged parts are gone; empty if none."""
        planned = set(self._packs.get(pack, ()))
        if not planned:
            return "its points that have not ended"
        names = valid_parts(name for name in self.names if name.pack == pack and name not in self._wrong)
        try:
            commits = dict(zip(names, read_commits(self._directory, names), strict=True))
        except (InputError, FileNotFoundError):
            return f"pack {pack}"
        restart = restart_after(self._directory, commits)
        ended = {end.point for commit in commits.values() for end in commit.ends}
        if ended >= planned:
            return ""  # what is wrong did not count
        lost = len(planned - restart.ended)
        begin = f"step {restart.checkpoint.step:,}" if restart.names else "its start"
        return f"pack {pack} from {begin}: {lost:,} point{'s' * (lost != 1)}"

    def _check_pack(self, names: Sequence[PartName]) -> None:
        tables: dict[PartName, pa.Table] = {}
        for name in names:
            try:
                tables[name] = read_part(self._directory, name, _CHECKED)
            except FileNotFoundError:
                return  # somebody trains it
            except InputError as error:
                self._wrong[name] = reason(error, str(self._directory.rows / name.file))
        self.rows += sum(map(len, tables.values()))
        for name, rows in tables.items():
            self._check_whose(name, rows)
        for name in _measured_twice(tables):
            self._wrong.setdefault(name, "a measurement of a point at a step stands in it a second time")
        measured = {id_ for rows in tables.values() for id_ in pc.unique(rows["point"]).to_pylist()}
        for name in tables:
            self._check_ends(name, measured)

    def _check_whose(self, name: PartName, rows: pa.Table) -> None:
        if rows["pack"].null_count or set(pc.unique(rows["pack"]).to_pylist()) - {name.pack}:
            self._wrong[name] = "rows of another pack"
        for id_ in pc.unique(rows["point"]).to_pylist():
            if self._owner.setdefault(id_, name.pack) != name.pack or not self._known(id_, name.pack):
                self._wrong[name] = f"rows of point {id_}, which is not of this pack"

    def _check_ends(self, name: PartName, measured: set[str]) -> None:
        for end in self._commits[name].ends:
            trained = end.outcome in {Outcome.COMPLETED, Outcome.STOPPED}
            if end.pack != name.pack or not self._known(end.point, name.pack):
                self._wrong[name] = f"the end of point {end.point}, which is not of this pack"
            elif end.point in self.ends:
                self._wrong[name] = f"the end of point {end.point} stands in it a second time"
            elif trained and end.point not in measured:
                self._wrong[name] = f"the end of point {end.point}, which has no rows"
            self.ends[end.point] = name.pack

    def _known(self, point: str, pack: str) -> bool:
        """Whether a point may be in a pack. A pack that no plan knows, since it was lost, may hold any point."""
        return pack not in self._packs or point in self._packs[pack]


def _measured_twice(tables: dict[PartName, pa.Table]) -> Sequence[PartName]:
    """Select the parts of a pack that repeat the point and step of an earlier row."""
    if not any(map(len, tables.values())):
        return ()
    names = list(tables)
    rows = pa.concat_tables([table.select(["point", "step"]) for table in tables.values()]).unify_dictionaries()
    point = rows["point"].combine_chunks().indices.to_numpy()
    step = rows["step"].to_numpy()
    part = np.repeat(np.arange(len(names)), [len(table) for table in tables.values()])
    order = np.lexsort((part, step, point))
    again = (np.diff(point[order]) == 0) & (np.diff(step[order]) == 0)
    return [names[i] for i in np.unique(part[order][1:][again])]
