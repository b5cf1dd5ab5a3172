"""What a sweep took: training time, and on which devices."""

import pandas as pd

__all__ = ["devices", "training_seconds"]


def training_seconds(points: pd.DataFrame) -> float:
    """Seconds of training summed over workers: of each pack, until its last point ended.

    Args:
        points: one row an ended point: ``pack``, ``seconds``.
    """
    return float(points.groupby("pack")["seconds"].max().sum()) if len(points) else 0.0


def devices(points: pd.DataFrame) -> list[str]:
    """Names of the devices that points were trained on; empty where none was recorded."""
    return sorted({str(name) for name in points["device"].dropna()} - {""}) if "device" in points else []
