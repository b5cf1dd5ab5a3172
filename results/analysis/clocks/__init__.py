"""Clocks: ways to read from curves the time at which a run is best, and how noisy they are.

The room smooths curves, reads each clock, fits the law to it, and measures the noise of accuracies. It promises that a
smoothed clock does not depend on how often a run was measured. No verdict and no file belongs here.
"""
