"""The figures of the paper, drawn from sweeps: one module a family of figures.

A module holds the table that a figure shows and the function that draws it; ``catalog.py`` names all figures.
"""
