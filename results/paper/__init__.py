"""The figures of the paper, drawn from sweeps: one file a family, with what it shows and how it is drawn."""
