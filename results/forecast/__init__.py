"""Forecasts of λ for a budget, from runs of a part of it.

The functions take the results of trials and return records; the arithmetic is here, so that a script, the command line
and the report agree. Nothing here trains, draws or opens a sweep directory.
"""
