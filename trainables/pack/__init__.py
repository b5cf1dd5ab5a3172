"""Training of one pack: P points as one program, from their initial weights to the end of the last.

The loop takes steps, measures the points that are due, and drops the points that have ended. Several processes may
share the steps of one pack: the first one leads, the others follow its orders. Nothing here writes a file or knows a
sweep directory.
"""
