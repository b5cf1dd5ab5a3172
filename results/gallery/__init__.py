"""The whole paper: every figure with what the paper states and what the sweeps show.

Records of figures are kept as JSON and PNG, and two pages are made of them. A figure is drawn again only when its
sweeps are given.
"""
