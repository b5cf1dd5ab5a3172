"""From numbers to verdicts: whether each claim of the paper holds in a sweep.

A claim is one record with a name, a title and a judge. A verdict carries a value, an interval and the reason. A claim
without enough data is inconclusive. No function here opens a file or prints.
"""
