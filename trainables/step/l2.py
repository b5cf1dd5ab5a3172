"""The ``weight_decay`` of torch that λ of a grid stands for, and the parameters that it acts on.

The gradient of ½w‖θ‖² is wθ, which torch calls ``weight_decay=w``.
"""

from torch import nn

from search_spaces.sections.optimizer import L2
from trainables.models.init import NORMS

_NOT_MATRICES = (*NORMS, nn.Embedding, nn.EmbeddingBag)


def weight_decay_of(l2: L2, lam: float, train: int) -> float:
    """Return the ``weight_decay`` of torch for λ.

    Args:
        l2: section ``l2`` of a grid, which says what term λ is a factor of.
        lam: λ of the grid.
        train: samples of the training set N; never those of a batch, or the penalty would grow as batches shrink.

    >>> weight_decay_of(L2(convention="per_sample"), lam=0.5, train=1000)
    0.0005
    """
    match l2.convention:
        case "half":  # ½λ‖θ‖²
            return lam
        case "square":  # λ‖θ‖²
            return 2 * lam
        case "per_sample":  # λ/(2N)‖θ‖²
            return lam / train


def decayed_parameters(module: nn.Module, l2: L2) -> tuple[str, ...]:
    """Return the names of the parameters that λ acts on, in the module's order.

    ``all``: every parameter that is trained. ``matrices``: of these, the ones with two or more dimensions, outside
    norms (a LayerNorm over images has such scales) and embeddings. A parameter that two modules share has the name that
    ``named_parameters`` gives it; it counts as an embedding if one of them is.
    """
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if l2.parameters == "all":
        return tuple(trained)
    others = {id(p) for m in module.modules() if isinstance(m, _NOT_MATRICES) for p in m.parameters(recurse=False)}
    return tuple(name for name, p in trained.items() if p.ndim > 1 and id(p) not in others)


def describe_l2(module: nn.Module, l2: L2, train: int) -> str:
    """Return the rule in one line, for people.

    Args:
        module: the network; it may be on the meta device.
        l2: section ``l2`` of a grid.
        train: samples of the training set.

    >>> describe_l2(nn.Linear(10, 10), L2(parameters="matrices"), train=1000)
    '½λ‖θ‖² (weight_decay = λ) on 1 of 2 parameter tensors, 100 of 110 numbers; not on biases, norms and embeddings'
    """
    term = {
        "half": "½λ‖θ‖² (weight_decay = λ)",
        "square": "λ‖θ‖² (weight_decay = 2λ)",
        "per_sample": f"λ/(2N)‖θ‖² (weight_decay = λ/N, N = {train:,} training samples)",
    }[l2.convention]
    sizes = {name: p.numel() for name, p in module.named_parameters() if p.requires_grad}
    decayed = decayed_parameters(module, l2)
    if len(decayed) == len(sizes):
        return f"{term} on all {len(sizes)} parameter tensors, {sum(sizes.values()):,} numbers"
    return (
        f"{term} on {len(decayed)} of {len(sizes)} parameter tensors, {sum(sizes[name] for name in decayed):,} of "
        f"{sum(sizes.values()):,} numbers; not on biases, norms and embeddings"
    )
