import pytest
import torch
from torch import nn
from torch.nn import functional

from search_spaces.sections.model import WideResNet
from trainables.models import build_model


def _count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("kind", ["batch", "running"])
def test_original_wrn_28_10_has_the_published_number_of_parameters(kind):
    spec = WideResNet(name="wrn", form="original", batch_norm=kind)
    assert _count(build_model(spec, (3, 32, 32), 10)) == 36_479_194  # 36.5M in table 4 of arXiv:1605.07146


def _conv(fan_in, fan_out):
    return 9 * fan_in * fan_out + fan_out


def _released_group(n, fan_in, channels):
    first = 2 * fan_in + _conv(fan_in, channels) + 2 * channels + _conv(channels, channels) + _conv(fan_in, channels)
    other = 2 * (2 * channels + _conv(channels, channels))
    return first + (n - 1) * other


@pytest.mark.parametrize(("depth", "width"), [(28, 10), (16, 1)])
def test_released_form_has_biases_and_a_3x3_shortcut_in_each_group(depth, width):
    n, (a, b, c) = (depth - 4) // 6, (16 * width, 32 * width, 64 * width)
    groups = _released_group(n, 16, a) + _released_group(n, a, b) + _released_group(n, b, c)
    spec = WideResNet(name="wrn", depth=depth, width=width)
    assert _count(build_model(spec, (3, 32, 32), 10)) == _conv(3, 16) + groups + (c * 10 + 10)


def test_the_blocks_see_full_half_and_quarter_resolution():
    module = build_model(WideResNet(name="wrn", depth=16, width=2), (3, 32, 32), 10)
    x, seen = torch.zeros(2, 3, 32, 32, device="meta"), []
    for layer in module:
        x = layer(x)
        seen.append(tuple(x.shape[1:]))
    assert seen == [(16, 32, 32), *[(32, 32, 32)] * 2, *[(64, 16, 16)] * 2, *[(128, 8, 8)] * 2, (128,), (10,)]


@pytest.mark.parametrize("kind", ["batch", "running"])
def test_released_block_written_out(kind):
    block = build_model(WideResNet(name="wrn", depth=10, width=2, batch_norm=kind), (3, 8, 8), 10)[2]
    block = _filled(block)
    x = torch.randn(4, 32, 8, 8)

    def norm(h, scale):
        mean, var = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), unbiased=False, keepdim=True)
        return (h - mean) / (var + 1e-5).sqrt() * scale.weight.view(-1, 1, 1) + scale.bias.view(-1, 1, 1)

    main = functional.conv2d(norm(x, block.norm1).relu(), block.conv1.weight, block.conv1.bias, 2, 1)
    main = functional.conv2d(norm(main, block.norm2).relu(), block.conv2.weight, block.conv2.bias, 1, 1)
    shortcut = functional.conv2d(x, block.shortcut.weight, block.shortcut.bias, 2, 1)  # of the raw input
    torch.testing.assert_close(block(x), main + shortcut, rtol=1e-4, atol=1e-4)


def test_original_block_gives_its_shortcut_the_activated_input():
    block = _filled(build_model(WideResNet(name="wrn", depth=10, width=2, form="original"), (3, 8, 8), 10)[2])
    x, activated = torch.randn(4, 32, 8, 8), None
    activated = block.norm1(x).relu()
    main = block.conv2(block.norm2(block.conv1(activated)).relu())
    torch.testing.assert_close(block(x), main + functional.conv2d(activated, block.shortcut.weight, stride=2))
    assert block.conv1.bias is None


def test_padding_of_strided_convolutions_is_the_mirror_image_of_stax():
    """stax pads an even side by (0, 1) for stride 2; torch's padding=1, turned by 180°, does the same."""
    x, w = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
    stax = functional.conv2d(functional.pad(x, (0, 1, 0, 1)), w, stride=2)
    turned = functional.conv2d(x.flip(2, 3), w.flip(2, 3), stride=2, padding=1).flip(2, 3)
    torch.testing.assert_close(turned, stax)


def _filled(module: nn.Module) -> nn.Module:
    module = module.to_empty(device="cpu")
    for p in module.parameters():
        nn.init.normal_(p)
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d) and m.track_running_stats:
            m.reset_running_stats()
    return module.train()
