"""Training on a GPU beside training on a CPU; and, where there is no GPU, steps on one that is only imagined."""

import io

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import trainables.step.batches
from search_spaces.points import Point
from trainables.pack.training import PackTraining
from trainables.profile import profile
from trainables.task import scale_invariant_weights
from trainables.train import train_pack

GPU = "cuda"
AUGMENTED = {"flip": True, "crop": 1, "mixup": 1.0}
CNN = {"name": "cnn", "channels": 4, "dense": 8, "pool": 2}
MODELS = {
    "fc": {"name": "fc", "width": 16, "depth": 2},
    **{f"cnn {kind}": CNN | {"batch_norm": kind} for kind in ("none", "batch", "running")},
    "wrn": {"name": "wrn", "depth": 10, "width": 1},
    "wrn original": {"name": "wrn", "depth": 10, "width": 1, "form": "original", "batch_norm": "running"},
}
# Relative differences of losses and norms after some six steps. Sums in another order differ by 1e-6 at first, cuDNN's
# transforms of small kernels by 1e-5, and steps through batch norms of few numbers enlarge both.
CLOSE = {"fc": 1e-4} | {name: 1e-2 for name in MODELS if name != "fc"}
COLUMNS = ("train_loss", "test_loss", "weight_norm", "eta_t", "lam_t", "decay_time")


@pytest.fixture(autouse=True)
def _precision_as_it_was():
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = cudnn


def gpu(test):
    """Needs a GPU."""
    return pytest.mark.gpu(pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")(test))


def _points(*members, mu=0.9):
    """Points of (η, λ, seed, epochs)."""
    return [
        Point(id=str(i), eta=eta, lam=lam, mu=mu, seed=seed, sigma_w=1.0, budget=float(epochs))
        for i, (eta, lam, seed, epochs) in enumerate(members)
    ]


def _three(mu=0.9):
    return _points((0.02, 1e-2, 0, 2), (0.03, 0.1, 1, 3), (0.01, 0.1, 0, 1), mu=mu)


def _train(points, recipe, device):
    """Per point: {column: values}, and the steps at which the points ended."""
    curves, ends = [{} for _ in points], {}
    for measurement in train_pack(points, recipe, device):
        for i, member in enumerate(measurement.members):
            for column in COLUMNS:
                curves[member].setdefault(column, []).append(float(measurement.values[column][i]))
        ends |= {end.member: (measurement.step, end.outcome) for end in measurement.ends}
    return curves, ends


def _assert_close(curves, others, rtol):
    for curve, other in zip(curves, others, strict=True):
        for column in COLUMNS:
            np.testing.assert_allclose(curve[column], other[column], rtol=rtol, err_msg=column)


def _recipe_of(make_recipe, name, **changes):
    batch = {"trainable.model": MODELS[name], "trainable.batch": 32}
    return make_recipe(batch | {key.replace("__", "."): value for key, value in changes.items()})


@gpu
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_trains_as_a_cpu(make_recipe, name, count):
    recipe, points = _recipe_of(make_recipe, name), _three()[:count]
    (on_gpu, gpu_ends), (on_cpu, cpu_ends) = (_train(points, recipe, device) for device in (GPU, "cpu"))
    assert gpu_ends == cpu_ends
    _assert_close(on_gpu, on_cpu, CLOSE[name])


CHANGES = {
    "full batch": {"trainable.batch": "full", "trainable.loss": {"name": "softmax", "scale": "paper"}},
    "augmented": {"trainable.augment": AUGMENTED, "schedule": {"name": "cosine", "warmup": 0.2}},
    "adamw": {"optimizer": {"name": "adamw"}, "l2": {"parameters": "matrices"}},
    "coupled adam, squares": {"optimizer": {"name": "adam", "coupled": True}, "trainable.loss": {"name": "mse"}},
    "auto l2": {"l2": {"auto": {"every": 2, "signal": "train"}}},
    "micro-batches": {"trainable.model": MODELS["cnn running"], "trainable.micro_batch": 8},
}


@gpu
@pytest.mark.parametrize("name", CHANGES)
def test_every_option_works_on_a_gpu(make_recipe, name):
    recipe = make_recipe({"trainable.batch": 32} | CHANGES[name])
    points = _three(mu=0.9 if recipe.optimizer.name == "sgd" else 0.0)
    _assert_close(_train(points, recipe, GPU)[0], _train(points, recipe, "cpu")[0], rtol=1e-3)


@gpu
@pytest.mark.parametrize("name", MODELS)
def test_on_a_gpu_too_a_pack_equals_its_points_alone(make_recipe, name):
    recipe, points = _recipe_of(make_recipe, name), _three()
    together, ends = _train(points, recipe, GPU)
    for i, point in enumerate(points):
        alone, end = _train([point], recipe, GPU)
        assert ends[i] == end[0]
        _assert_close([together[i]], alone, CLOSE[name])


@gpu
@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("augment", [{}, AUGMENTED, {"resized_crop": True}], ids=lambda a: "-".join(a) or "plain")
def test_a_gpu_sees_the_same_batches(make_recipe, monkeypatch, augment, ready):
    monkeypatch.setattr(trainables.step.batches, "MAX_NORMALIZED_BYTES", 2**26 if ready else 0)
    recipe = make_recipe({"trainable.batch": 16, "trainable.augment": augment})
    on_gpu, on_cpu = (PackTraining(_three(), recipe, device)._gradients._batches for device in (GPU, "cpu"))
    for step, members in ((0, [0]), (1, [0, 1]), (3, [0, 1, 2]), (9, [0, 2])):
        got, want = next(on_gpu.of_step(step, members)), next(on_cpu.of_step(step, members))
        assert got[2] == want[2]
        for tensor, expected in zip(got[:2], want[:2], strict=True):
            assert tensor.device.type == GPU
            # a scaled crop is rounded to whole numbers, 0.17 apart once normalized, and halves may fall to either side
            torch.testing.assert_close(
                tensor.cpu(), expected, rtol=1e-5, atol=0.2 if "resized_crop" in augment else 1e-6
            )


@gpu
@pytest.mark.parametrize("ready", [True, False])
def test_chunks_of_a_set_on_a_gpu(make_recipe, monkeypatch, ready):
    monkeypatch.setattr(trainables.step.batches, "MAX_NORMALIZED_BYTES", 2**26 if ready else 0)
    on_gpu, on_cpu = (PackTraining(_three(), make_recipe(), device)._evaluation._test for device in (GPU, "cpu"))
    for got, want in zip(on_gpu.chunks(100, 30), on_cpu.chunks(100, 30), strict=True):
        for tensor, expected in zip(got, want, strict=True):
            torch.testing.assert_close(tensor.cpu(), expected)


STEPS = {
    "fc": {},
    "fc, full batch": {"trainable.batch": "full"},
    "fc, augmented, cosine": {"trainable.augment": AUGMENTED, "schedule": {"name": "cosine", "warmup": 0.2}},
    "fc, adamw, squares": {"optimizer": {"name": "adamw"}, "trainable.loss": {"name": "mse"}},
    "fc, bfloat16": {"trainable.numerics.precision": "bfloat16"},
    "cnn": {"trainable.model": MODELS["cnn running"]},
    "cnn, augmented micro-batches": {
        "trainable.model": MODELS["cnn running"],
        "trainable.augment": AUGMENTED,
        "trainable.micro_batch": 4,
    },
    "wrn, augmented, bfloat16": {
        "trainable.model": MODELS["wrn"],
        "trainable.augment": AUGMENTED,
        "trainable.numerics.precision": "bfloat16",
    },
}
SEEDS = [(0,), (0, 0), (0, 1), (0, 1, 0)]


def _step(training):
    training.step(training.full_batch_outputs())


def _prepared(make_recipe, name, seeds):
    recipe = make_recipe({"trainable.batch": 16} | STEPS[name])
    mu = 0.9 if recipe.optimizer.name == "sgd" else 0.0
    return _points(*[(0.02, 1e-2, seed, 9) for seed in seeds], mu=mu), recipe


@gpu
@pytest.mark.parametrize("seeds", SEEDS, ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_the_host_never_waits_in_a_training_step(make_recipe, monkeypatch, name, seeds):
    monkeypatch.setattr(trainables.step.batches, "MAX_NORMALIZED_BYTES", 0)
    training = PackTraining(*_prepared(make_recipe, name, seeds), GPU)
    for _ in range(2):
        _step(training)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(4):
            _step(training)
    finally:
        torch.cuda.set_sync_debug_mode("default")


class _Copies(TorchDispatchMode):
    """Notes what makes the host wait for the device: numbers fetched, and copies that are not ``non_blocking``."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        first = next((a for a in args if isinstance(a, torch.Tensor)), None)
        fetched = name == "_local_scalar_dense" and first.device.type == GPU
        target = torch.device(kwargs.get("device") or "cpu").type if name == "_to_copy" else None
        if name == "_to_copy" and kwargs.get("device") is None:
            target = first.device.type
        copied = target is not None and target != first.device.type and not kwargs.get("non_blocking")
        if fetched or copied:
            self.waiting.append((name, tuple(first.shape)))
        return func(*args, **kwargs)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")
@pytest.mark.parametrize("seeds", SEEDS, ids=str)
@pytest.mark.parametrize("name", [name for name in STEPS if "bfloat16" not in name])
def test_a_step_on_an_imagined_gpu_mixes_no_devices_and_never_waits(make_recipe, monkeypatch, name, seeds):
    """Fake tensors know their device, and an operation on two devices raises; only the backward pass is left out."""
    points, recipe = _prepared(make_recipe, name, seeds)
    profile(recipe), scale_invariant_weights(recipe.trainable)  # kept: they compute with numbers
    monkeypatch.setattr(trainables.step.batches, "MAX_NORMALIZED_BYTES", 0)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(torch.autograd, "grad", lambda loss, of, weight, **_: [torch.empty_like(p) for p in of])
    with FakeTensorMode(allow_non_fake_inputs=True):
        training = PackTraining(points, recipe, GPU)
        training._network._model._deterministic = True  # the check asks the GPU's generator
        with _Copies() as copies:
            for _ in range(2):
                _step(training)
        evaluation = training._evaluation
        evaluation._evaluate(training._network.weights_at(range(len(points))), evaluation._test, 100)
        training._drop({0} if len(points) > 1 else set())
        _step(training)
    assert all(p.device.type == GPU for p in training._network.parameters.values())
    assert copies.waiting == []


@gpu
@pytest.mark.parametrize("name", ["fc", "cnn none", "cnn batch"])
@pytest.mark.parametrize("precision", ["bfloat16", "tf32"])
def test_lower_precision_trains_nearly_the_same_on_a_gpu(make_recipe, name, precision):
    points = _points((0.02, 1e-2, 0, 3), (0.02, 0.1, 1, 3))
    low, _ = _train(points, _recipe_of(make_recipe, name, trainable__numerics={"precision": precision}), GPU)
    full, _ = _train(points, _recipe_of(make_recipe, name), GPU)
    _assert_close(low, full, rtol=0.05)


@gpu
def test_bfloat16_is_what_the_gpu_computes_in(make_recipe):
    for name in ("fc", "wrn"):
        points, curves = _points((0.02, 1e-2, 0, 1)), []
        for precision in ("bfloat16", "float32"):
            recipe = _recipe_of(make_recipe, name, trainable__numerics={"precision": precision})
            curves.append(_train(points, recipe, GPU)[0][0]["test_loss"])
        assert curves[0] != curves[1]


@gpu
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "count"), [("fc", 1), ("fc", 3), ("cnn running", 3), ("wrn", 1)])
def test_compiled_trains_as_eager_on_a_gpu(make_recipe, name, count):
    points = _three()[:count]
    compiled, ends = _train(points, _recipe_of(make_recipe, name, trainable__numerics={"compile": True}), GPU)
    eager, eager_ends = _train(points, _recipe_of(make_recipe, name), GPU)
    assert ends == eager_ends
    _assert_close(compiled, eager, CLOSE[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fc", "cnn batch"])
def test_a_worker_compiles_a_network_once_and_not_for_every_pack(make_recipe, name):
    recipe = _recipe_of(make_recipe, name, trainable__numerics={"compile": True})
    counters = torch._dynamo.utils.counters
    counters.clear()
    compiled, _ = _train(_three()[:1], recipe, "cpu")
    graphs = counters["stats"]["unique_graphs"]
    for point in _three():
        _train([point], recipe, "cpu")
    assert counters["stats"]["unique_graphs"] == graphs
    assert not counters["graph_break"]
    _assert_close(compiled, _train(_three()[:1], _recipe_of(make_recipe, name), "cpu")[0], rtol=1e-4)


@gpu
@pytest.mark.parametrize("name", ["fc", "cnn running", "wrn"])
@pytest.mark.parametrize("where", [GPU, "cpu"])
def test_training_resumes_on_a_gpu(make_recipe, name, where):
    recipe, points = _recipe_of(make_recipe, name), _three()
    expected = list(train_pack(points, recipe, GPU))
    first, file = PackTraining(points, recipe, GPU), io.BytesIO()
    next(first.measurements())
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = PackTraining(points, recipe, GPU)
    second.load_state_dict(torch.load(file, weights_only=True, map_location=where))
    rest = list(second.measurements())
    assert [(m.step, m.members, m.ends) for m in rest] == [(m.step, m.members, m.ends) for m in expected[1:]]
    for got, want in zip(rest, expected[1:], strict=True):
        for column in COLUMNS:
            np.testing.assert_allclose(got.values[column], want.values[column], rtol=CLOSE[name], err_msg=column)


@gpu
def test_a_pack_on_a_gpu_is_as_large_as_its_memory_allows(make_recipe):
    small = make_recipe()
    assert profile(small, 1.0).pack_limit > profile(small).pack_limit
    assert profile(small, 0.5).pack_limit <= profile(small, 1.0).pack_limit
    large = make_recipe({"trainable.model": {"name": "fc", "width": 20_000, "depth": 3}})
    assert 1 <= profile(large, 1.0).pack_limit < 20  # a point of 8e8 parameters takes 13 GB
