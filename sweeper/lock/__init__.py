"""Who runs a sweep: one process at a time.

A folder has a lock of the file system; an object store has a lease. Both say who holds the sweep and how to stop it.
"""
