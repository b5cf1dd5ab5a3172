"""Parts of benchmarks/search.py: the table of real runs, its replay, the searches, and what is drawn of them."""
