"""The typed sections of a grid: every key with its type, its limits and its meaning.

Sections are frozen pydantic models, one module for each section. Their docstrings become the JSON Schema and
``docs/grid.md``. They know nothing of files, YAML or training.
"""
