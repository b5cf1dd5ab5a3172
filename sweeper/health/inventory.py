"""Every file of a sweep, listed once, so that all checks speak of the same moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from results.store.part_names import PartName, parse_name
from results.store.paths import AnyPath
from results.store.state import SweepState, read_state
from results.store.sweep_dir import SweepDir, files_of, is_temporary
from sweeper.worker.checkpoints import is_checkpoint


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The files of a sweep, and the state that was read after they were listed.

    So no checkpoint among the files is newer than the commits of the state.

    Attributes:
        state: the state.
        sizes: path of every file to its size in bytes.
    """

    state: SweepState
    sizes: Mapping[AnyPath, int]

    def within(self, folder: AnyPath) -> list[AnyPath]:
        """List the files in a folder and below it, in order."""
        return sorted((path for path in self.sizes if str(path).startswith(f"{folder}/")), key=str)

    @cached_property
    def part_names(self) -> Mapping[str, PartName | None]:
        """Each Parquet file among the parts with the name that it stands for; None for a file of others."""
        files = [path.name for path in self.within(self.state.directory.rows)]
        return {file: parse_name(file) for file in files if file.endswith(".parquet") and not file.startswith(".")}

    @cached_property
    def checkpoints(self) -> list[AnyPath]:
        """The files of checkpoints."""
        return [path for path in self.within(self.state.directory.checkpoints) if is_checkpoint(path.name)]

    @cached_property
    def weights(self) -> list[AnyPath]:
        """The files of weights."""
        return [path for path in self.within(self.state.directory.weights) if path.suffix == ".pt"]

    @cached_property
    def temporary(self) -> list[AnyPath]:
        """The files of writers that were killed before their rename."""
        return sorted((path for path in self.sizes if is_temporary(path.name)), key=str)


def take_inventory(directory: SweepDir) -> Inventory:
    """List the files of a sweep, then read its state.

    Raises:
        InputError: there is a link, a pipe or a device in the folder.
    """
    sizes = files_of(directory)
    return Inventory(state=read_state(directory), sizes=sizes)
