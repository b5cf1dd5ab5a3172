"""How results are drawn: one function a figure, from a table to a drawing with the data that it shows.

A figure is drawn from a frame that holds exactly what it shows, and the frame is written beside the picture. A context
applies the style; an import never does. Figures compute no result and read no sweep, with one exception: the command
in ``paper/draw.py``.
"""
