"""Exclusive use of a sweep: one process runs it at a time.

A folder has a lock of the file system; an object store has a lease. Both say which process holds the sweep and which
command stops it. Nothing here reads rows or starts training. Workers do not depend on the lock: the numbers of their
attempts keep them apart.
"""
