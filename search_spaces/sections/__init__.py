"""The typed sections of a grid: every key with its type, its limits and its meaning.

Sections are frozen pydantic models. They know nothing of files, YAML or training.
"""
