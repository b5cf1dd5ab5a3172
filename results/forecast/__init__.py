"""Which λ suits a budget: κ from the peaks of a probe, combined with what earlier sweeps measured.

The functions take the peaks of a probe and return records. They train nothing, draw nothing and open no sweep.
"""
