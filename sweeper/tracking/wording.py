"""Values and names in the form that a tracker takes."""

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

MAX_CHARACTERS = 500  # of a param or tag; trackers cut at 500 (older MLflow) to 8,000


def format_value(value: object) -> str:
    """Return a value as people write it; a long list by its ends."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {format_value(v)}' for k, v in value.items())}}}"[:MAX_CHARACTERS]
    if isinstance(value, list | tuple):
        return _format_list(list(value))
    if isinstance(value, float | np.floating):
        return f"{value:.12g}"
    return str(value)[:MAX_CHARACTERS]


def _format_list(values: Iterable[object]) -> str:
    texts = [format_value(v) for v in values]
    text = f"[{', '.join(texts)}]"
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"[{', '.join(texts[:5])}, …, {texts[-1]}] ({len(texts)} values)"[:MAX_CHARACTERS]


def finite_or_none(value: object) -> float | None:
    """Return a number that a tracker can show, or None."""
    number = float(value) if isinstance(value, int | float | np.number | np.bool_) else math.nan
    return number if math.isfinite(number) else None


def tracker_key(text: str) -> str:
    """Return a name that every MLflow accepts as a key."""
    return re.sub(r"[^\w./ -]", "_", text, flags=re.ASCII)[:250]
