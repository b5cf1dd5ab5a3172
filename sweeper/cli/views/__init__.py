"""The answers of commands: how each is shown to people, and as JSON to programs.

A view holds a value that another room has returned. It reads no option and starts nothing. It opens no file but those
of the sweep that it shows.
"""
