"""A weight decay for a budget: train a few λ for a part of it and read the best λ of a whole run off them.

The room decides which λ a probe trains and for how long. The probe is an ordinary sweep, which the driver trains, and
the arithmetic of the forecast is in ``results.forecast``. The room promises that a probe costs no more steps than were
allowed. It draws no figure and prints nothing itself.
"""
