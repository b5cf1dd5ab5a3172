"""Verdicts: whether each claim of the paper holds in a sweep.

A claim is one record with a name, a title and a judge; a new claim edits one module here and its test. A verdict
carries a value, an interval, a threshold and one sentence of reasons. A claim without enough data is inconclusive, and
never an error. No function here opens a file, prints or draws.
"""
