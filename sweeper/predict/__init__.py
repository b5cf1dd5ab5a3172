"""A weight decay for a budget: train a probe at large λ and read κ off it.

The probe is an ordinary sweep. The arithmetic of the forecast is in ``results.forecast``.
"""
