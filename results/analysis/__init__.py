"""From rows to numbers: when points peak, and which law their peaks follow.

Functions take pandas frames or NumPy arrays and return frames or numbers; ``x(frames)`` and ``x_from(reduced)`` are the
two entrances of one computation. No function here opens a file: rows arrive from the store through the callers.
"""
