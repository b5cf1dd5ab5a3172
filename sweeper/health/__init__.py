"""Is a sweep sound, and how far is it?

``recovery`` puts a sweep in order before a run, ``verify`` checks every file, and ``status`` reads the progress. The
files of a sweep may come from anybody: nothing in them is executed, and nothing outside the directory is touched.
"""
