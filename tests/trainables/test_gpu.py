"""Training on a GPU beside training on a CPU; and, where there is no GPU, steps on one that is only imagined.

All of it runs with the CPU in the place of the GPU too, so that the tests themselves are known to be sound.
"""

import io
from contextlib import contextmanager

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


NEEDS_GPU = (
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
)


@pytest.fixture(autouse=True)
def _precision_as_it_was():
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.benchmark
    yield
    torch.set_float32_matmul_precision(matmul)
    cudnn.allow_tf32, cudnn.benchmark = before


@pytest.fixture(params=["cpu", pytest.param(GPU, marks=NEEDS_GPU)])
def device(request):
    """A GPU, and a CPU in its place."""
    return request.param


def gpu(test):
    """Needs a GPU."""
    for mark in NEEDS_GPU:
        test = mark(test)
    return test


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


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_trains_as_a_cpu(make_recipe, device, name, count):
    recipe, points = _recipe_of(make_recipe, name), _three()[:count]
    (on_gpu, gpu_ends), (on_cpu, cpu_ends) = (_train(points, recipe, d) for d in (device, "cpu"))
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


@pytest.mark.parametrize("name", CHANGES)
def test_every_option_works_on_a_gpu(make_recipe, device, name):
    recipe = make_recipe({"trainable.batch": 32} | CHANGES[name])
    points = _three(mu=0.9 if recipe.optimizer.name == "sgd" else 0.0)
    _assert_close(_train(points, recipe, device)[0], _train(points, recipe, "cpu")[0], rtol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_on_a_gpu_too_a_pack_equals_its_points_alone(make_recipe, device, name):
    recipe, points = _recipe_of(make_recipe, name), _three()
    together, ends = _train(points, recipe, device)
    for i, point in enumerate(points):
        alone, end = _train([point], recipe, device)
        assert ends[i] == end[0]
        _assert_close([together[i]], alone, CLOSE[name])


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("augment", [{}, AUGMENTED, {"resized_crop": True}], ids=lambda a: "-".join(a) or "plain")
def test_a_gpu_sees_the_same_batches(make_recipe, device, monkeypatch, augment, ready):
    monkeypatch.setattr(trainables.step.batches, "MAX_NORMALIZED_BYTES", 2**26 if ready else 0)
    recipe = make_recipe({"trainable.batch": 16, "trainable.augment": augment})
    on_gpu, on_cpu = (PackTraining(_three(), recipe, d)._gradients._batches for d in (device, "cpu"))
    for step, members in ((0, [0]), (1, [0, 1]), (3, [0, 1, 2]), (9, [0, 2])):
        got, want = next(on_gpu.of_step(step, members)), next(on_cpu.of_step(step, members))
        assert got[2] == want[2]
        for tensor, expected in zip(got[:2], want[:2], strict=True):
            assert tensor.device.type == device
            # a scaled crop is rounded to whole numbers, 0.17 apart once normalized, and halves may fall to either side
            torch.testing.assert_close(
                tensor.cpu(), expected, rtol=1e-5, atol=0.2 if "resized_crop" in augment else 1e-6
            )


@pytest.mark.parametrize("ready", [True, False])
def test_chunks_of_a_set_on_a_gpu(make_recipe, device, monkeypatch, ready):
    monkeypatch.setattr(trainables.step.batches, "MAX_NORMALIZED_BYTES", 2**26 if ready else 0)
    on_gpu, on_cpu = (PackTraining(_three(), make_recipe(), d)._evaluation._test for d in (device, "cpu"))
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


NO_KERNELS = {"detach", "empty", "empty_like", "device", "promote_types"}


class _Kernels(TorchDispatchMode):
    """Notes what a step makes a device do, and what makes the host wait for it.

    Attributes:
        names: operations that start a kernel, in order.
        waiting: numbers fetched, and copies between devices that are not ``non_blocking``.
        layouts: for each convolution whether its images and its weights have their channels last.
        turned: copies of images or of weights of convolutions, as into another layout.
    """

    def __init__(self):
        super().__init__()
        self.names, self.waiting, self.layouts, self.turned = [], [], [], []

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
        if name == "convolution":
            self.layouts.append(tuple(t.stride()[1] == 1 for t in args[:2]))
        if name == "clone" and first.ndim == 4:
            self.turned.append(tuple(first.shape))
        if not func.is_view and name not in NO_KERNELS:
            self.names.append(name)
        return func(*args, **kwargs)


@pytest.fixture
def imagine(monkeypatch):
    """Training on an imagined GPU of fake tensors, which know their device: an operation on two devices raises.

    Only the backward pass is left out, for which torch asks a real GPU.
    """
    monkeypatch.setattr(trainables.step.batches, "MAX_NORMALIZED_BYTES", 0)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)

    @contextmanager
    def imagined(points, recipe):
        profile(recipe), scale_invariant_weights(recipe.trainable)  # kept: they compute with numbers
        with FakeTensorMode(allow_non_fake_inputs=True), monkeypatch.context() as patch:
            patch.setattr(torch.autograd, "grad", lambda loss, of, weight, **_: [torch.empty_like(p) for p in of])
            training = PackTraining(points, recipe, GPU)
            training._network._model._deterministic = True  # the check asks the GPU's generator
            yield training

    return imagined


no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")


@no_gpu
@pytest.mark.parametrize("seeds", SEEDS, ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_on_an_imagined_gpu_mixes_no_devices_and_never_waits(make_recipe, imagine, name, seeds):
    points, recipe = _prepared(make_recipe, name, seeds)
    with imagine(points, recipe) as training:
        with _Kernels() as kernels:
            for _ in range(2):
                _step(training)
        evaluation = training._evaluation
        evaluation._evaluate(training._network.weights_at(range(len(points))), evaluation._test, 100)
        training._drop({0} if len(points) > 1 else set())
        _step(training)
        assert all(p.device.type == GPU for p in training._network.parameters.values())
    assert kernels.waiting == []


def _kernels_of_a_step(training):
    _step(training)  # the rates are copied to the device once
    with _Kernels() as kernels:
        _step(training)
    return kernels


@no_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_pack_of_matrices_launches_as_many_kernels_as_a_point(make_recipe, imagine, precision):
    counts = []
    for count in (1, 2, 16):
        recipe = make_recipe({"trainable.numerics.precision": precision})
        with imagine(_points(*[(0.02, 1e-2, 0, 9)] * count, mu=0.0), recipe) as training:
            counts.append(len(_kernels_of_a_step(training).names))
    assert counts == [counts[0]] * 3


def _order(t):
    """The strides of a tensor, where they say anything."""
    return [stride for stride, size in zip(t.stride(), t.shape, strict=True) if size > 1]


@no_gpu
@pytest.mark.parametrize("name", ["cnn none", "cnn running", "wrn", "wrn original"])
def test_convolutions_of_a_point_alone_have_their_channels_last_and_are_not_turned(make_recipe, imagine, name):
    """Also where the pack shrinks to that point, and with the one channel of digits.

    In float32: a cast of fake tensors, unlike one of real ones, may lose the layout of a single channel.
    """
    recipe = _recipe_of(make_recipe, name)
    for count in (1, 2):
        with imagine(_points(*[(0.02, 1e-2, 0, 9)] * count), recipe) as training:
            training._drop({0} if count == 2 else set())
            kernels = _kernels_of_a_step(training)
            velocities = training._optimizer.velocity
            for key, p in training._network.parameters.items():
                assert _order(velocities[key]) == _order(p)
        assert kernels.layouts
        assert set(kernels.layouts) == {(True, True)}
        assert len(kernels.turned) == name.startswith("cnn")  # for the dense layers


@pytest.mark.parametrize("name", ["fc", "cnn none", "cnn batch"])
@pytest.mark.parametrize("precision", ["bfloat16", "tf32"])
def test_lower_precision_trains_nearly_the_same_on_a_gpu(make_recipe, device, name, precision):
    points = _points((0.02, 1e-2, 0, 3), (0.02, 0.1, 1, 3))
    low, _ = _train(points, _recipe_of(make_recipe, name, trainable__numerics={"precision": precision}), device)
    full, _ = _train(points, _recipe_of(make_recipe, name), device)
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


@pytest.mark.parametrize("name", ["fc", "cnn running", "wrn"])
@pytest.mark.parametrize("where", [pytest.param(GPU, marks=NEEDS_GPU), "cpu"])
def test_training_resumes_on_a_gpu(make_recipe, device, name, where):
    recipe, points = _recipe_of(make_recipe, name), _three()
    expected = list(train_pack(points, recipe, device))
    first, file = PackTraining(points, recipe, device), io.BytesIO()
    next(first.measurements())
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = PackTraining(points, recipe, device)
    second.load_state_dict(torch.load(file, weights_only=True, map_location=where))
    rest = list(second.measurements())
    assert [(m.step, m.members, m.ends) for m in rest] == [(m.step, m.members, m.ends) for m in expected[1:]]
    for got, want in zip(rest, expected[1:], strict=True):
        for column in COLUMNS:
            np.testing.assert_allclose(got.values[column], want.values[column], rtol=CLOSE[name], err_msg=column)
