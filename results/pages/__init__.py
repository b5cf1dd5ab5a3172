"""Pages for people: the report of a sweep and the page of a forecast.

A page is one self-contained HTML text, made of findings, verdicts and drawings. Jinja templates hold the markup and the
fixed sentences, and escape every text; modules choose and format what they show. Pages compute no result and read no
sweep.
"""
