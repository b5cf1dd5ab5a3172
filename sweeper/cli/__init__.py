"""The command line: what is typed, and what is shown.

Commands read options, call one function of another room and show the value that it returns, for people or as JSON.
Imports of PyTorch, Ray and MLflow happen inside commands, so that ``--help`` answers at once.
"""
