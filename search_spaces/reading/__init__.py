"""From YAML to a grid and back: read, checked, refused in words, written.

Every refusal names the file, the line, the key, the value and what is allowed.
"""
