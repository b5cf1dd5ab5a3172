"""How a run goes: from a grid to verdicts.

``run.py`` is the spine. The driver plans what is missing, hands packs to a backend and shows the progress. It never
sees rows: workers write them, and the analysis reads them.
"""
