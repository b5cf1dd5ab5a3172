"""Forecasts of λ for a budget: κ from the peaks of a probe, pooled with what earlier sweeps measured.

The functions take the peaks of a probe and return records; the arithmetic is here, so that a script, the command line
and the report agree. Nothing here trains, draws or opens a sweep directory.
"""
