"""Infinitely wide networks under L2 regularization: their kernels, and the dynamics of Theorems 1 and 2.

Points are differential equations here, solved in float64 and measured like points that train by steps. Nothing is
sampled but the kernel's network, so the numbers carry no noise of training. Optimizers and checkpoints must not leak
in.
"""
