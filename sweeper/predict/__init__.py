"""A weight decay for a budget: train a probe at large λ and read κ off it.

The room decides which λ a probe trains and when it ends. The probe is an ordinary sweep, which the driver trains, and
the arithmetic of the forecast is in ``results.forecast``. The room promises that a probe costs about the share of a
run that was allowed. It draws no figure and prints nothing itself.
"""
