"""Settling: which points would decide an open claim, and what do they cost?

The room extends grids, estimates by how much the interval of a claim would narrow, and chooses the cheapest extension
that should decide it. It promises the same choice for the same tables. Training and files must not leak in.
"""
