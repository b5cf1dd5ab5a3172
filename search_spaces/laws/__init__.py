"""The rules along a run: how long a point trains, which η each step has, when it is measured.

Every function is pure: numbers in, numbers out.
"""
