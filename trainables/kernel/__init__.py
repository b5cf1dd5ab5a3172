"""Infinitely wide networks under L2 regularization: kernels, and the dynamics of Theorems 1 and 2."""
