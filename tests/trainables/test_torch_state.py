import random
import threading

import numpy as np
import pytest
import torch

from trainables.torch_state import drawn_from, generator_states, neutral_torch, seeded


def _state():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.is_anomaly_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.benchmark,
    )


FRESH = (torch.float32, torch.device("cpu"), True, False, False, False, False)


@pytest.fixture(params=["no_grad", "inference", "autocast", "device", "default device", "dtype", "anomaly", "settings"])
def strange(request):
    """A process whose torch is not as it was at its start."""
    contexts = {
        "no_grad": torch.no_grad,
        "inference": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
        "device": lambda: torch.device("meta"),
        "anomaly": torch.autograd.detect_anomaly,
    }
    if request.param in contexts:
        with contexts[request.param]():
            yield
        return
    precision = torch.get_float32_matmul_precision()
    match request.param:
        case "default device":
            torch.set_default_device("meta")
        case "dtype":
            torch.set_default_dtype(torch.float64)
        case "settings":
            torch.set_float32_matmul_precision("medium")
            torch.use_deterministic_algorithms(True)
            torch.set_flush_denormal(True)
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision(precision)
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("leave", ["at its end", "by an error"])
def test_a_block_is_neutral_and_leaves_all_as_it_was(strange, leave):
    before, states = _state(), generator_states()
    try:
        with neutral_torch(threads=1, flush_denormal=True):
            assert _state()[:7] == FRESH
            layer = torch.nn.Linear(2, 2)
            layer(torch.ones(1, 2)).sum().backward()
            assert layer.weight.grad.dtype == torch.float32
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = not before[-1]
            random.random(), np.random.rand(), torch.rand(1)
            with neutral_torch():
                assert _state()[:7] == FRESH
            if leave == "by an error":
                raise KeyError
    except KeyError:
        pass
    assert _state() == before
    assert drawn_from(states, generator_states()) == []


def test_seeds_decide_the_draws_of_all_generators():
    def draw(seed):
        with seeded(seed):
            return float(torch.rand(())), np.random.rand(), random.random()

    assert draw(3) == draw(3)
    assert all(a != b for a, b in zip(draw(3), draw(4), strict=True))
    assert draw(2**40) == draw(2**40)


@pytest.mark.parametrize(
    ("draw", "name"),
    [(lambda: torch.rand(1), "torch"), (np.random.rand, "numpy.random"), (random.random, "random"),
     (np.random.normal, "numpy.random")],
)  # fmt: skip
def test_a_draw_is_noticed(draw, name):
    before = generator_states()
    draw()
    assert drawn_from(before, generator_states()) == [name]


def test_threads_draw_as_if_they_were_alone():
    drawn = []

    def draw():
        for _ in range(20):
            with seeded(1):
                drawn.append(tuple(torch.rand(50).tolist()))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 1
    assert len(drawn) == 80
