"""From YAML to a grid and back: text is read, checked, refused in words, or written.

Every refusal names the file, the line, the key, the value and what is allowed. No other room reads YAML of a grid, and
this one opens no file: callers pass the text and the name of the file.
"""
