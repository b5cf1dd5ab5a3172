"""The sweep directory: which files lie in it, and which of them count.

The store answers for a folder and for an object store alike. It promises that a file appears whole or not at all, that
the parts which count can be told from their names alone, and that each point ends in one part only. Several processes
may read and write at the same time; only the holder of the lock deletes what others wrote. The store knows nothing of
training, analysis, Ray or MLflow.
"""
