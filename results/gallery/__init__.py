"""The gallery of the whole paper: every figure, with the paper's statements and the results of our sweeps.

Figures are kept as records (JSON and PNG), and two pages are made of the records alone. A figure is drawn again only if
its sweeps are given, so no sweep needs to be kept. Records know nothing of the pages that print them.
"""
