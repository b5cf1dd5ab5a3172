"""Numbers from rows: when points peak, and which law their peaks follow.

Functions take pandas frames or NumPy arrays and return frames or numbers. One computation may have two entrances:
``x(frames)`` starts from rows, ``x_from(reduced)`` from what one pass over them left. No function here opens a file,
judges or draws: rows arrive from the store through the callers.
"""
