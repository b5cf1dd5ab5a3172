"""Modules of the user that have the name of another module, which Python then finds in their place."""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


def place_of(module: ModuleType) -> str:
    """Return the file of a module, or the folder of a package without ``__init__.py``; empty for built-in modules."""
    return _place(module.__spec__) if module.__spec__ else getattr(module, "__file__", None) or ""


def describe_namesake(module: ModuleType) -> str:
    """Return a sentence about another module of that name on the import path, with a blank before it; empty without."""
    place = place_of(module)
    for entry in dict.fromkeys([*sys.path, str(Path.cwd())]):
        spec = PathFinder.find_spec(module.__name__, [entry or str(Path.cwd())])
        other = _place(spec) if spec else ""
        if other and Path(other).resolve() != Path(place).resolve():
            return f" {other} has the same name and is hidden by it; rename that one."
    return ""


def missing_attribute(module: str, name: str) -> AttributeError:
    """Return the error for a name that a package does not have. It says which package was found, and what it hides."""
    text = f"module '{module}' has no attribute '{name}'"
    if name.startswith("__"):  # Python and its tools look for such names everywhere
        return AttributeError(text)
    found = sys.modules[module]
    return AttributeError(f"{text}; it was found at {place_of(found)}.{describe_namesake(found)}")


def _place(spec: ModuleSpec) -> str:
    if spec.has_location and spec.origin:
        return spec.origin
    return next(iter(spec.submodule_search_locations or ()), "")
