"""The packages that ship with sweeper, found beside it whatever else the import path holds.

``results`` is a common name. The folder of a script may have a ``results.py`` or a folder ``results``, and Python would
find that in place of sweeper's. A package of that name that is installed later puts its files in the place of
sweeper's.
"""

import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

TO_TRAIN = ("search_spaces", "trainables")
ALL = (*TO_TRAIN, "results")
_ROOT = Path(__file__).parent.parent
_wanted: set[str] = set()


class NamesakeError(ImportError):
    """Another module stands in the place of a package of sweeper."""


class _Finder:
    """An import hook: the packages are sweeper's from the moment on at which a module of sweeper is imported.

    Until then a script keeps a ``results`` of its own.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a package that is wanted; leave everything else to others."""
        if name.startswith("sweeper.") and name != "sweeper.__main__":  # which says what is wrong in a line
            require(ALL)
        return spec_from_file_location(name, _file_of(name)) if name in _wanted else None


def install() -> None:
    """Let Python find the packages beside sweeper, before it looks anywhere else."""
    sys.meta_path.insert(0, _Finder)


def require(names: Sequence[str]) -> None:
    """Import some of the packages.

    Raises:
        NamesakeError: the process has imported another module of that name, or one was installed over sweeper's.
    """
    for name in names:
        if name in _wanted:
            continue
        _wanted.add(name)
        found, own = import_module(name), _file_of(name)
        if getattr(found, "__file__", None) is None or Path(str(found.__file__)).resolve() != own.resolve():
            _wanted.remove(name)
            raise NamesakeError(
                f"sweeper needs its own package '{name}' ({own}), but another module of that name was imported before: "
                f"{found.__file__ or found.__path__[0]}. Rename that one.",
                name=name,
            )
        if getattr(found, "BELONGS_TO", "") != "sweeper":
            raise NamesakeError(
                f"sweeper needs its own package '{name}', but the file {own} belongs to {_owners(name)}, which was "
                "installed over it. Uninstall that one, or install sweeper in an environment of its own; then install "
                "sweeper again.",
                name=name,
            )


def _owners(name: str) -> str:
    """Return the installed distributions, apart from sweeper, that have a package of a name."""
    names = metadata.packages_distributions().get(name, [])
    return " and ".join(f"the package '{other}'" for other in sorted({*names} - {"sweeper"})) or "another package"


def _file_of(name: str) -> Path:
    return _ROOT / name / "__init__.py"
