"""Losses and metrics of a pack, without the L2 term.

Axis letters: P pack, B batch, C classes.
"""

import torch
from torch import Tensor

from search_spaces.trainable import Softmax


def loss_scale(spec: Softmax, classes: int) -> float:
    """Factor of the mean cross-entropy: 1, or the paper's 1/(2k) (SM A)."""
    return 1.0 if spec.scale == "mean" else 1.0 / (2 * classes)


def cross_entropy(logits_PBC: Tensor, labels: Tensor, scale: float) -> Tensor:
    """Scaled mean cross-entropy of each point, (P,).

    Args:
        logits_PBC: outputs of the pack.
        labels: (B,) if all points see the same batch, else (P, B).
        scale: from ``loss_scale``.
    """
    logits_PCB = logits_PBC.transpose(
        1, 2
    ).contiguous()  # softmax over a strided axis vectorizes over B: 3 times faster
    log_p_PB = torch.log_softmax(logits_PCB, 1).gather(1, _index(logits_PCB, labels)).squeeze(1)
    return log_p_PB.mean(1) * -scale


@torch.no_grad()
def metrics(logits_PBC: Tensor, labels: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """(accuracy, loss) of each point, (P,) each; the accuracy is NaN where the loss is.

    The class predicted is the first of the largest logits, so that an all-zero network is not right about everything.
    """
    logits_PCB = logits_PBC.transpose(1, 2).contiguous()
    true_PB = logits_PCB.gather(1, _index(logits_PCB, labels)).squeeze(1)
    top_PB, predicted_PB = logits_PCB.max(1)
    log_sum_PB = (logits_PCB - top_PB.unsqueeze(1)).exp_().sum(1).log_().add_(top_PB)
    loss_P = (log_sum_PB - true_PB).mean(1) * scale
    accuracy_P = (predicted_PB == labels).float().mean(1)
    return torch.where(loss_P.isfinite(), accuracy_P, torch.nan), loss_P


def _index(logits_PCB: Tensor, labels: Tensor) -> Tensor:
    return labels.expand(logits_PCB.shape[0], -1).unsqueeze(1)
