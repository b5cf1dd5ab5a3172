"""One optimizer step of P networks: batch, forward pass, loss, rates, update.

Tensors carry a leading pack axis P. The modules do not know each other, and none knows points, grids or files.
"""
