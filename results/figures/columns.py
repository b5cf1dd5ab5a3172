"""Columns of a table as drawings need them."""

import numpy as np
import pandas as pd

from results.analysis.segments import Bools, Floats

BROKEN_OUTCOMES = ("diverged", "failed")


def numeric_column(table: pd.DataFrame, name: str) -> Floats:
    """Return a column as float64 (n,); NaN where it is absent or holds no number."""
    if name not in table:
        return np.full(len(table), np.nan)
    array: Floats = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return array


def is_positive(values: pd.Series) -> Bools:
    """Return where a column is finite and above zero (n,), so that a logarithmic axis can show it."""
    array: Floats = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    shown: Bools = np.isfinite(array) & (array > 0)
    return shown
