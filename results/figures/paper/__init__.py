"""Figures of the paper, drawn from sweeps: one module a family of figures.

A module holds functions that make the table of what a figure shows, and functions that draw that table. The first may
raise ``RequirementError``; the second never fails on such a table. ``catalog.py`` names all figures, and ``draw.py``
alone reads sweep directories.
"""
