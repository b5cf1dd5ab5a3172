"""Figures: one function a figure, from a table of what it shows to a drawing with that table.

A figure is drawn from a table that holds exactly what it shows, and the table is saved beside the picture. The style
applies within a context and never on import. Figures compute no result and read no sweep, with one exception:
``paper/draw.py``, the command that draws from sweep directories.
"""

import os
import sys
from contextlib import suppress

from search_spaces.errors import InputError


def _import_matplotlib() -> None:
    """Import matplotlib without the backend of ``MPLBACKEND``, and then set that one where matplotlib has it.

    Figures here are drawn without a backend. In a notebook the variable names one that another environment may lack,
    with which matplotlib cannot be imported.

    Raises:
        InputError: a ``matplotlibrc`` is no text file.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib as mpl  # noqa: PLC0415 - all other modules find it imported
    except (UnicodeDecodeError, PermissionError) as error:
        raise InputError(
            f"{error.filename if isinstance(error, OSError) else 'matplotlibrc'}: matplotlib cannot read its settings "
            f"({error}). Mend or remove the file, in the working directory or in ~/.config/matplotlib."
        ) from None
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    with suppress(ValueError):
        mpl.rcParams.update({"backend": backend} if backend else {})


if "matplotlib" not in sys.modules:
    _import_matplotlib()
