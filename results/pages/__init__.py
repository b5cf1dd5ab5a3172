"""How results are written for people: the report of a sweep and the page of a forecast.

A page is one self-contained HTML text made of findings, verdicts and drawings. Pages compute no result.
"""
