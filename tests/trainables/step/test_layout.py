import pytest
import torch

from trainables.step.layout import channels_last, weights_of_pack


@pytest.mark.parametrize("shape", [(5, 3, 4, 6), (5, 1, 4, 6), (5, 3, 1, 1), (1, 3, 4, 6), (5, 1, 4, 1)], ids=str)
def test_torch_sees_that_channels_are_last(shape):
    """As a convolution sees it, whose output has the layout of its input."""
    x = torch.randn(shape)
    turned = channels_last(x)
    assert torch.equal(turned, x)
    n, c, h, w = shape
    assert turned.stride() == (c * h * w, 1, c * w, c)
    more = torch.empty_like(turned.expand(7, *shape[1:]) if n == 1 else turned)
    assert more.stride()[1] == 1


def test_only_a_gpu_and_a_point_alone_have_their_weights_turned():
    for t in (torch.randn(1, 4, 3, 2, 2), torch.randn(2, 4, 3, 2, 2), torch.randn(1, 4, 3)):
        assert weights_of_pack(t) is t
