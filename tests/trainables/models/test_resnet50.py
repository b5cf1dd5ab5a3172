import torch
from torch import nn

from search_spaces.sections.model import ResNet50
from trainables.models import build_model


def test_torchvisions_number_of_parameters():
    module = build_model(ResNet50(name="resnet50"), (3, 224, 224), 1000)
    assert sum(p.numel() for p in module.parameters()) == 25_557_032
    assert sum(name.endswith("running_mean") for name, _ in module.named_buffers()) == 53


def test_batch_statistics_leave_no_buffers():
    module = build_model(ResNet50(name="resnet50", batch_norm="batch"), (3, 64, 64), 10)
    assert list(module.buffers()) == []
    assert sum(isinstance(m, nn.BatchNorm2d) for m in module.modules()) == 53


def test_grey_images_get_a_first_convolution_of_one_channel():
    module = build_model(ResNet50(name="resnet50"), (1, 64, 64), 10)
    assert module.conv1.weight.shape == (64, 1, 7, 7)
    assert module(torch.zeros(2, 1, 64, 64, device="meta")).shape == (2, 10)
