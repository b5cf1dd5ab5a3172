"""How one pack is trained and stored, the same under every backend.

A worker trains the points of a pack, commits their rows with a checkpoint, and sends the driver a report about once a
second. A worker that another one has overtaken stops without writing.
"""
