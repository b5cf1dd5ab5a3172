"""Costs of a sweep: training time, and the devices that it ran on."""

import pandas as pd

__all__ = ["devices", "seconds_per_epoch", "training_seconds"]


def training_seconds(points: pd.DataFrame) -> float:
    """Sum the seconds of training over packs, each until its last point ended.

    Args:
        points: one row an ended point, with ``pack`` and ``seconds``.
    """
    return float(points.groupby("pack")["seconds"].max().sum()) if len(points) else 0.0


def seconds_per_epoch(points: pd.DataFrame, peaks: pd.DataFrame) -> float | None:
    """Return the training time of an epoch of one point, in seconds of a worker; None if nothing has trained.

    Args:
        points: one row an ended point, with ``pack`` and ``seconds``.
        peaks: of ``find_peaks``, with ``last_epoch``.
    """
    seconds, epochs = training_seconds(points), float(peaks["last_epoch"].sum()) if len(peaks) else 0.0
    return seconds / epochs if seconds > 0 and epochs > 0 else None


def devices(points: pd.DataFrame) -> list[str]:
    """Return the names of the devices that points were trained on, sorted; empty where none was recorded."""
    return sorted({str(name) for name in points["device"].dropna()} - {""}) if "device" in points else []
