"""What a sweep took, from its table of points."""

import pandas as pd

from results.analysis.costs import devices, training_seconds


def test_training_seconds_are_those_of_every_pack_over_all_its_attempts():
    """An attempt goes on counting where the checkpoint that it goes on from left off."""
    points = pd.DataFrame({"pack": ["a", "a", "a", "b"], "attempt": [0, 0, 1, 0], "seconds": [2.0, 3.0, 10.0, 100.0]})
    assert training_seconds(points) == 110
    assert training_seconds(points.iloc[:0]) == 0


def test_devices_are_named_once_and_may_be_unknown():
    points = pd.DataFrame({"device": ["NVIDIA H200", "", None, "AMD EPYC (cpu)", "NVIDIA H200"]})
    assert devices(points) == ["AMD EPYC (cpu)", "NVIDIA H200"]
    assert devices(points[1:3]) == devices(pd.DataFrame({"seed": [0]})) == []
