"""The outputs of a model as one tensor, whatever it returns them in."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def logits_of(outputs: Any) -> Tensor:
    """Return the outputs (B, C) of a model as a tensor.

    A tensor is taken as it is. Of a tuple or a list it is the first entry, of a mapping the entry ``logits``, and of
    anything else the attribute ``logits``, as models of Hugging Face have it.

    Raises:
        ValueError: there is no tensor.
    """
    found = outputs
    match outputs:
        case Mapping():
            found = outputs.get("logits")
        case tuple() | list() if outputs and not hasattr(outputs, "logits"):
            found = outputs[0]
        case _ if not isinstance(outputs, Tensor):
            found = getattr(outputs, "logits", None)
    if not isinstance(found, Tensor):
        raise ValueError(
            f"the model returned {type(outputs).__name__}, not a tensor (B, C), nor a tuple that begins with one, nor "
            "a dict or object with logits"
        )
    return found
