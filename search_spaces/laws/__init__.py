"""The rules along a run: how long a point trains, which η each step has, and when the point is measured.

Every function is pure: numbers go in, numbers come out. The rules read sections of a grid and know nothing of points,
files or training.
"""
