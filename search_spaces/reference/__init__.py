"""The grid for editors and people: its JSON Schema and its reference page, ``docs/grid.md``.

Both are generated from the sections and their docstrings, so that they say the same as the checks. Text about a single
key belongs into the docstring of that key, not here.
"""
