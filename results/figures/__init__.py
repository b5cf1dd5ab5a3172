"""Figures: one function a figure, from a table of what it shows to a drawing with that table.

A figure is drawn from a table that holds exactly what it shows, and the table is saved beside the picture. The style
applies within a context and never on import. Figures compute no result and read no sweep, with one exception:
``paper/draw.py``, the command that draws from sweep directories.
"""
