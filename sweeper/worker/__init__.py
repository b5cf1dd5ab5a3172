"""Training and storage of one pack, the same under every backend.

A worker trains the points of a pack, commits their rows together with a checkpoint, and sends the driver a report about
once a second. If it dies, the next attempt at the pack continues from the last commit. A worker that another one has
overtaken stops without writing. Nothing here knows the backend that runs it, and rows never reach the driver.
"""
