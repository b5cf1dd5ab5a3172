"""Costs of a sweep: training time, and the devices that it ran on."""

import pandas as pd

__all__ = ["devices", "training_seconds"]


def training_seconds(points: pd.DataFrame) -> float:
    """Sum the seconds of training over packs, each until its last point ended.

    Args:
        points: one row an ended point, with ``pack`` and ``seconds``.
    """
    return float(points.groupby("pack")["seconds"].max().sum()) if len(points) else 0.0


def devices(points: pd.DataFrame) -> list[str]:
    """Return the names of the devices that points were trained on, sorted; empty where none was recorded."""
    return sorted({str(name) for name in points["device"].dropna()} - {""}) if "device" in points else []
