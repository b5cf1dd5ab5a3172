"""What is taken for the outputs of a model."""

from types import SimpleNamespace

import pytest
import torch

from trainables.models.logits import logits_of

OUTPUTS = torch.randn(4, 2)


class Named(tuple):
    """A tuple whose first entry is the loss, as models of Hugging Face return."""

    logits = OUTPUTS


@pytest.mark.parametrize(
    "returned",
    [
        OUTPUTS,
        (OUTPUTS, None),
        [OUTPUTS],
        {"loss": torch.zeros(()), "logits": OUTPUTS},
        SimpleNamespace(logits=OUTPUTS),
        Named((torch.zeros(()), OUTPUTS)),
    ],
)
def test_the_outputs_are_found(returned):
    assert logits_of(returned) is OUTPUTS


@pytest.mark.parametrize("returned", [None, {"scores": OUTPUTS}, (), ("a", OUTPUTS), SimpleNamespace(logits=3)])
def test_anything_else_is_refused(returned):
    with pytest.raises(ValueError, match=rf"the model returned {type(returned).__name__}, not a tensor \(B, C\)"):
        logits_of(returned)
