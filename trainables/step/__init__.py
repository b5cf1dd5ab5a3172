"""One optimizer step of P networks: batch, forward pass, loss, rates and update.

Tensors carry a leading pack axis P, and points share nothing but the samples they see. Numbers drawn at random depend
on seed and step alone. The modules do not know each other (batches and augmentation apart), and none knows packs that
shrink, or files.
"""
