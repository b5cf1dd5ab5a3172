"""Pages for people: the report of a sweep and the page of a forecast.

A page is one self-contained HTML text, made of findings, verdicts and drawings. Templates hold the fixed sentences;
modules fill them in. Pages compute no result and read no sweep.
"""
