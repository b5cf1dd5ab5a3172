"""Values and names as a tracker can take them."""

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

LONGEST = 500  # characters of a param or tag; trackers cut at 500 (older MLflow) to 8,000


def show(value: object) -> str:
    """A value as people write it; long lists by their ends."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {show(v)}' for k, v in value.items())}}}"[:LONGEST]
    if isinstance(value, list | tuple):
        return _show_list(list(value))
    if isinstance(value, float | np.floating):
        return f"{value:.12g}"
    return str(value)[:LONGEST]


def _show_list(values: Iterable[object]) -> str:
    shown = [show(v) for v in values]
    text = f"[{', '.join(shown)}]"
    if len(text) <= LONGEST:
        return text
    return f"[{', '.join(shown[:5])}, …, {shown[-1]}] ({len(shown)} values)"[:LONGEST]


def finite(value: object) -> float | None:
    """A number that a tracker can show, or None."""
    number = float(value) if isinstance(value, int | float | np.number | np.bool_) else math.nan
    return number if math.isfinite(number) else None


def key_of(text: str) -> str:
    """A name that every MLflow accepts as a key."""
    return re.sub(r"[^\w./ -]", "_", text, flags=re.ASCII)[:250]
