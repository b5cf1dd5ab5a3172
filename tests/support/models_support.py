"""Models as users write them, and checks that they train as in a plain loop of torch."""

import io
import itertools
import random
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from search_spaces.points import Point
from search_spaces.recipe import Recipe
from sweeper.weights import _copy_in
from trainables.admission import admission_of
from trainables.data import Dataset
from trainables.models.logits import logits_of
from trainables.pack.network import Draw
from trainables.pack.training import PackTraining
from trainables.profile import profile
from trainables.registered import registered
from trainables.task import Task, built_from
from trainables.torch_state import seeded

FEATURES, WORDS, STEPS, ETA, LAM = 6, 11, 8, 0.3, 0.01


class Failing(nn.Linear):
    """Fails once training goes on."""

    passes = 0

    def forward(self, x):
        self.passes += 1
        if self.passes > 5:
            raise RuntimeError("out of order")
        return super().forward(x)


def make_data(shape=(FEATURES,), count=24):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2 * count, *shape, generator=generator)
    y = (x.flatten(1)[:, 0] * x.flatten(1)[:, 1] > 0).long()
    return Dataset.from_tensors(x[:count], y[:count], x[count:], y[count:], classes=2)


def failing():
    return Task(lambda: Failing(FEATURES, 2), make_data())


def make_tokens(count=24):
    x = torch.randint(WORDS, (2 * count, 5), generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > x[:, 1]).long()
    return Dataset.from_tensors(x[:count], y[:count], x[count:], y[count:], classes=2)


VECTORS, IMAGES, SEQUENCES, TOKENS = make_data(), make_data((1, 8, 8)), make_data((5, FEATURES)), make_tokens()


class Net(nn.Module):
    """A hidden layer of 8 units; subclasses change it."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(FEATURES, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.b(self.hidden(torch.tanh(self.a(x))))

    def hidden(self, h):
        return h


def after(*layers):
    return nn.Sequential(nn.Linear(FEATURES, 8), *layers, nn.Tanh(), nn.Linear(8, 2))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn, self.b = kind(FEATURES, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.b(self.rnn(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.b = nn.MultiheadAttention(FEATURES, 2, batch_first=True), nn.Linear(FEATURES, 2)

    def forward(self, x):
        return self.b(self.attention(x, x, x)[0].mean(1))


class Encoder(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        layer = nn.TransformerEncoderLayer(FEATURES, 2, 8, dropout=dropout, batch_first=True)
        self.encoder, self.b = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(FEATURES, 2)

    def forward(self, x):
        return self.b(self.encoder(x).mean(1))


class Tied(Net):
    def __init__(self):
        super().__init__()
        self.c, self.d = nn.Linear(8, 8), nn.Linear(8, 8)
        self.d.weight = self.c.weight

    def hidden(self, h):
        return self.d(torch.tanh(self.c(h)))


class Autoencoding(Net):
    """Uses a weight and its transpose, as tied embeddings do."""

    def hidden(self, h):
        return torch.tanh(functional.linear(functional.linear(h, self.a.weight.t()), self.a.weight))


class Checkpointed(Net):
    reentrant = False

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))

    def hidden(self, h):
        return checkpoint(self.block, h, use_reentrant=self.reentrant)


class Reentrant(Checkpointed):
    reentrant = True


class CheckpointedDropout(Checkpointed):
    def __init__(self):
        super().__init__()
        self.block.append(nn.Dropout(0.3))


class _Invert(torch.autograd.Function):
    """A layer that is computed again in the backward pass, with the module's weights."""

    @staticmethod
    def forward(ctx, h, module, *_weights):
        ctx.module = module
        with torch.no_grad():
            out = h + torch.tanh(module(h))
        ctx.save_for_backward(h)
        return out

    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        with torch.enable_grad():
            h = h.detach().requires_grad_()
            out = h + torch.tanh(ctx.module(h))
        of_input, *of_weights = torch.autograd.grad(out, [h, *ctx.module.parameters()], gradient)
        return of_input, None, *of_weights


class Reversible(Net):
    def __init__(self):
        super().__init__()
        self.block = nn.Linear(8, 8)

    def hidden(self, h):
        return _Invert.apply(h, self.block, *self.block.parameters())


class Residual(Net):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def hidden(self, h):
        return h + self.block(h)


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gate, self.b = nn.Conv2d(1, 4, 3), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = torch.tanh(self.conv(x))
        gate = torch.sigmoid(self.gate(h.mean((2, 3))))
        return self.b((h * gate[:, :, None, None]).mean((2, 3)))


def cnn(*layers):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), *layers, nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2)
    )


class Fourier(nn.Module):
    def __init__(self, kind):
        super().__init__()
        frequencies = torch.randn(FEATURES, 4)
        if kind == "buffer":
            self.register_buffer("frequencies", frequencies)
        elif kind == "numpy":
            self.frequencies = np.random.randn(FEATURES, 4).astype(np.float32)
        else:
            self.frequencies = frequencies
        self.kind, self.b = kind, nn.Linear(8, 2)

    def forward(self, x):
        table = torch.from_numpy(self.frequencies) if self.kind == "numpy" else self.frequencies
        z = x @ table
        return self.b(torch.cat([z.sin(), z.cos()], 1))


class NumpyWeights(Net):
    def __init__(self):
        super().__init__()
        self.a.weight.data = torch.from_numpy(np.random.randn(8, FEATURES).astype(np.float32) / 3)
        self.b.weight.data *= random.uniform(0.5, 1.5)


class FrozenList(Net):
    """Hides a fixed random network from its parameters in a plain list."""

    def __init__(self):
        super().__init__()
        self.others = [nn.Linear(8, 8).requires_grad_(False)]

    def hidden(self, h):
        return h + self.others[0](h)


class ModuleInList(FrozenList):
    def __init__(self):
        super().__init__()
        self.others[0].requires_grad_(True)


class LeafAttribute(Net):
    def __init__(self):
        super().__init__()
        self.scale = torch.ones(8, requires_grad=True)

    def hidden(self, h):
        return h * self.scale


class ParameterList(Net):
    def __init__(self):
        super().__init__()
        self.scales = nn.ParameterList([nn.Parameter(torch.rand(8)) for _ in range(3)])

    def hidden(self, h):
        for scale in self.scales:
            h = h * (1 + scale)
        return h


class Scalar(Net):
    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(1.5))

    def hidden(self, h):
        return h * self.temperature


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(4, dtype=torch.cfloat) / 2), nn.Linear(FEATURES, 2)

    def forward(self, x):
        return self.b(torch.fft.irfft(torch.fft.rfft(x) * self.w, n=FEATURES))


class Frozen(Net):
    def __init__(self):
        super().__init__()
        self.a.requires_grad_(False)


class InPlace(Net):
    def hidden(self, h):
        h = h.clone()
        h[:, 0] += 1.0
        return h.mul_(2.0)


class Branching(Net):
    def hidden(self, h):
        return h * 2 if h.mean() > 0 else h * 3


def _halve(p):
    p.grad.mul_(0.5)


class Hooked(Net):
    """Registers a hook of one kind that a threshold or a factor gives an effect."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        match kind:
            case "parameter":
                self.a.weight.register_hook(lambda g: g.clamp(-1e-3, 1e-3))
            case "accumulated":
                self.a.weight.register_post_accumulate_grad_hook(_halve)
            case "module":
                self.a.register_full_backward_hook(lambda _m, _i, o: (o[0] * 0.5,) if _i[0] is not None else None)
            case "forward":
                self.a.register_forward_hook(lambda _m, _i, out: out * 2)
            case "before":
                self.a.register_forward_pre_hook(lambda _m, inputs: (inputs[0] * 2,))

    def hidden(self, h):
        if self.kind == "activation" and h.requires_grad:
            h.register_hook(lambda g: g.clamp(-1e-3, 1e-3))
        return h


class NotPersistent(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.rand(8), persistent=False)

    def hidden(self, h):
        return h * self.scale


class MovingAverage(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def hidden(self, h):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * h.detach().mean(0)
        return h - self.mean


class AverageInAttribute(MovingAverage):
    def __init__(self):
        super().__init__()
        del self.mean
        self.mean = torch.zeros(8)


class Counting(Net):
    """Counts its passes, as many do for their own logs."""

    def __init__(self):
        super().__init__()
        self.passes = 0

    def hidden(self, h):
        self.passes += 1
        return h


class WarmUp(Counting):
    def hidden(self, h):
        return super().hidden(h) * (1.0 if self.passes > 500 else 0.5)


class Remembering(Net):
    """Shows its last activations, and keeps a mask that it made at first use."""

    mask = None

    def hidden(self, h):
        if self.mask is None:
            self.mask = torch.tril(torch.ones(8, 8))
        self.last = {"h": h}
        return h @ self.mask


class Drawing(Net):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.generator = np.random.default_rng(0) if kind == "own" else None

    def hidden(self, h):
        draw = {
            "torch": lambda: float(torch.rand(())),
            "numpy": np.random.rand,
            "random": random.random,
            "own": getattr(self.generator, "random", None),
            "fresh": lambda: np.random.default_rng().random(),
        }[self.kind]
        return h * draw() if self.training else h


class GradientNoise(Net):
    def hidden(self, h):
        if h.requires_grad:
            h.register_hook(lambda g: g + 0.01 * torch.randn_like(g))
        return h


class NoisyEvaluation(Net):
    def hidden(self, h):
        return h if self.training else h + torch.randn_like(h)


class Locked(Net):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Uncopied(Net):
    def __deepcopy__(self, memo):
        raise TypeError("one of a kind")


class Modes(Net):
    def forward(self, x):
        z = super().forward(x)
        return z if self.training else z.softmax(1)


class Clipped(Net):
    """Keeps the norms of its weights below a limit in each forward pass, as EEGNet does."""

    def forward(self, x):
        self.a.weight.data = torch.renorm(self.a.weight.data, p=2, dim=0, maxnorm=0.3)
        return super().forward(x)


class Seventeenth(Counting):
    def hidden(self, h):
        return super().hidden(h) * (2 if self.passes % 17 == 0 else 1)


class FiveHundredth(Counting):
    def hidden(self, h):
        return super().hidden(h) * (2 if self.passes == 500 else 1)


class History(Net):
    def __init__(self):
        super().__init__()
        self.values = []

    def hidden(self, h):
        self.values.append(1)
        return h * (2 if len(self.values) > 100 else 1)


class InTuple(Net):
    def __init__(self):
        super().__init__()
        self.state = (0, "warm")

    def hidden(self, h):
        self.state = (self.state[0] + 1, "warm")
        return h * (2 if self.state[0] > 200 else 1)


class FirstNorm(Net):
    norm = None

    def hidden(self, h):
        if self.norm is None:
            self.norm = self.a.weight.detach().norm()
        return h / self.norm


class SameMemory(Tied):
    def __init__(self):
        super().__init__()
        self.d.weight = nn.Parameter(self.c.weight.data)


AVERAGE = nn.BatchNorm1d(8, affine=False)


class SharedAverage(Net):
    def __init__(self):
        super().__init__()
        self.norm = AVERAGE

    def hidden(self, h):
        return self.norm(h)


class HiddenAverage(Net):
    def __init__(self):
        super().__init__()
        self.norms = [nn.BatchNorm1d(8, affine=False)]

    def hidden(self, h):
        return self.norms[0](h)


class FirstBatch(Net):
    """Starts from the statistics of its first batch, as ActNorm does."""

    def __init__(self):
        super().__init__()
        self.scale, self.started = nn.Parameter(torch.ones(8)), False

    def hidden(self, h):
        if not self.started:
            self.scale.data.copy_(1 / h.detach().std(0))
            self.started = True
        return h * self.scale


class Viewed(Net):
    """Uses a view of a weight that it made when it was built."""

    def __init__(self):
        super().__init__()
        self.turned = self.a.weight.detach().t()

    def hidden(self, h):
        return h @ self.turned.t() @ self.turned


class CountingEvaluation(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("passes", torch.zeros(()))

    def hidden(self, h):
        self.passes += 1
        return h / (1 + 0.01 * self.passes)


class Returning(Net):
    def __init__(self, made):
        super().__init__()
        self.made = made

    def forward(self, x):
        return self.made(super().forward(x))


def Dict(key):
    return Returning(lambda outputs: {key: outputs})


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.encoder = nn.Embedding(WORDS, FEATURES), Encoder()

    def forward(self, tokens):
        return self.encoder(self.embedding(tokens))


class Leaving(Net):
    def hidden(self, h):
        raise SystemExit(3)


class Ending(Net):
    def hidden(self, h):
        return next(iter([]))


class NoBackward(Net):
    def hidden(self, h):
        if h.requires_grad:
            h.register_hook(lambda g: {}[0])
        return h


class NoEvaluation(Net):
    def hidden(self, h):
        if not self.training:
            raise RuntimeError("no")
        return h


class Uninitialized(Net):
    def __init__(self):
        super().__init__()
        self.a.weight = nn.Parameter(
            torch.tensor(np.random.default_rng().normal(size=(8, FEATURES)), dtype=torch.float)
        )


class Unseeded(Net):
    def __init__(self):
        super().__init__()
        self.table = torch.tensor(np.random.default_rng().normal(size=8), dtype=torch.float)

    def hidden(self, h):
        return h * self.table


def initialized_lazily():
    network = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.Linear(8, 2))
    network(torch.zeros(1, FEATURES))
    return network


def weight_norm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(FEATURES, 8)), nn.Tanh(), nn.Linear(8, 2))


def twice():
    layer = nn.Linear(8, 8)
    return nn.Sequential(nn.Linear(FEATURES, 8), layer, nn.Tanh(), layer, nn.Linear(8, 2))


TOGETHER = {
    "mlp": (lambda: nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, 2)), VECTORS),
    "tanh": (after, VECTORS),
    "cnn": (cnn, IMAGES),
    "batch norm": (lambda: cnn(nn.BatchNorm2d(4)), IMAGES),
    "group norm": (lambda: cnn(nn.GroupNorm(2, 4)), IMAGES),
    "layer norm": (lambda: after(nn.LayerNorm(8)), VECTORS),
    "depthwise": (lambda: cnn(nn.Conv2d(4, 4, 3, groups=4)), IMAGES),
    "squeeze-excite": (SqueezeExcite, IMAGES),
    "attention": (Attention, SEQUENCES),
    "residual": (Residual, VECTORS),
    "tied weights": (Tied, VECTORS),
    "a weight and its transpose": (Autoencoding, VECTORS),
    "weight norm as a parametrization": (lambda: after(parametrizations.weight_norm(nn.Linear(8, 8))), VECTORS),
    "Fourier features as a buffer": (lambda: Fourier("buffer"), VECTORS),
    "weights of numpy and random": (NumpyWeights, VECTORS),
    "a list of parameters": (ParameterList, VECTORS),
    "a scalar": (Scalar, VECTORS),
    "complex": (Complex, VECTORS),
    "frozen parts": (Frozen, VECTORS),
    "in-place operations": (InPlace, VECTORS),
    "a layer that occurs twice": (twice, VECTORS),
    "a buffer that is not persistent": (NotPersistent, VECTORS),
    "a moving average in a buffer": (MovingAverage, VECTORS),
    "a lock": (Locked, VECTORS),
    "cannot be copied": (Uncopied, VECTORS),
    "modes differ": (Modes, VECTORS),
    "initialized lazily": (initialized_lazily, VECTORS),
    "a tuple": (lambda: Returning(lambda outputs: (outputs, outputs.sum())), VECTORS),
    "a dict": (lambda: Dict("logits"), VECTORS),
    "an object with logits": (lambda: Returning(lambda outputs: SimpleNamespace(loss=None, logits=outputs)), VECTORS),
    "an embedding of tokens": (lambda: nn.Sequential(nn.Embedding(WORDS, 3), nn.Flatten(), nn.Linear(15, 2)), TOKENS),
}
ALONE = {
    "rnn": (lambda: Recurrent(nn.RNN), SEQUENCES),
    "lstm": (lambda: Recurrent(nn.LSTM), SEQUENCES),
    "gru": (lambda: Recurrent(nn.GRU), SEQUENCES),
    "transformer": (Encoder, SEQUENCES),
    "a transformer of tokens": (Embedded, TOKENS),
    "spectral norm": (lambda: after(parametrizations.spectral_norm(nn.Linear(8, 8))), VECTORS),
    "weight norm": (weight_norm, VECTORS),
    "checkpoint": (Checkpointed, VECTORS),
    "reentrant checkpoint": (Reentrant, VECTORS),
    "reversible": (Reversible, VECTORS),
    "Fourier features as a tensor": (lambda: Fourier("tensor"), VECTORS),
    "Fourier features in numpy": (lambda: Fourier("numpy"), VECTORS),
    "a fixed network in a list": (FrozenList, VECTORS),
    **{f"hook: {k}": (lambda k=k: Hooked(k), VECTORS) for k in
       ("parameter", "accumulated", "module", "forward", "before", "activation")},
    "branches on values": (Branching, VECTORS),
    "counts its passes": (Counting, VECTORS),
    "a batch norm in a list, which never evaluates": (HiddenAverage, VECTORS),
    "remembers activations": (Remembering, VECTORS),
    "clips its weights": (Clipped, VECTORS),
    "a view of a weight": (Viewed, VECTORS),
    "script": (lambda: torch.jit.script(Net()), VECTORS),
    "dropout": (lambda: after(nn.Dropout(0.5)), VECTORS),
    "a transformer with dropout": (lambda: Encoder(dropout=0.2), SEQUENCES),
    "a checkpoint around dropout": (CheckpointedDropout, VECTORS),
    **{f"draws from {k}": (lambda k=k: Drawing(k), VECTORS) for k in ("torch", "numpy", "random")},
}  # fmt: skip
EITHER = {
    "transformer",
    "a transformer of tokens",
    "spectral norm",
    "rnn",
    "lstm",
    "gru",
    "modes differ",
    "a lock",
}  # as torch's vmap can
REFUSED = {
    "a period by a counter": (Seventeenth, "its attribute passes changes in a pass"),
    "one pass by a counter": (FiveHundredth, "its attribute passes changes in a pass"),
    "a history in a list": (History, "its attribute len(values) changes in a pass"),
    "a state in a tuple": (InTuple, "its attribute state[0] changes in a pass"),
    "a norm of the first pass": (FirstNorm, "its attribute norm changes in a pass"),
    "two parameters in one memory": (SameMemory, "its parameters c.weight and d.weight share memory"),
    "a shared moving average": (SharedAverage, "its buffer norm.running_mean is the same tensor in two builds"),
    "a generator of its own": (lambda: Drawing("own"), "attribute generator"),
    "fresh random numbers": (lambda: Drawing("fresh"), "two equal passes with equal weights give different numbers"),
    "noise in gradients": (GradientNoise, "its loss or its backward pass draws random numbers, from torch"),
    "noise in evaluation": (NoisyEvaluation, "draws random numbers in evaluation (NoisyEvaluation, from torch)"),
    "a module in a list": (ModuleInList, "its attribute others[0]."),
    "a leaf in an attribute": (LeafAttribute, "its attribute scale has gradients but is no parameter"),
    "a moving average in an attribute": (AverageInAttribute, "its attribute mean changes in a pass"),
    "a warm-up by a counter": (WarmUp, "its attribute passes changes in a pass"),
    "statistics of the first batch": (FirstBatch, "its attribute started changes in a pass"),
    "unseeded weights": (Uninitialized, "two builds from one seed differ in a.weight"),
    "an unseeded table": (Unseeded, "two builds from one seed differ in the attribute table"),
    "a dict without logits": (lambda: Dict("scores"), "the model returned dict, not a tensor (B, C)"),
    "nothing": (lambda: Returning(lambda _: None), "the model returned NoneType, not a tensor (B, C)"),
    "one number a sample": (lambda: nn.Sequential(Net(), nn.Flatten(0)), "outputs of shape (8,), not (4, 2)"),
    "too many outputs": (lambda: nn.Linear(FEATURES, 3), "the model gives outputs of shape (4, 3), not (4, 2)"),
    "too few outputs": (lambda: nn.Linear(FEATURES, 1), "the model gives outputs of shape (4, 1), not (4, 2)"),
    "leaves the process": (Leaving, "the forward pass in training mode, tried on 4 samples of shape (6,), raised Sys"),
    "an iterator that ends": (Ending, "the forward pass in training mode, tried on 4 samples of shape (6,), raised S"),
    "fails in its backward pass": (NoBackward, "the backward pass, tried on 4 samples of shape (6,), raised KeyErr"),
    "fails in evaluation": (NoEvaluation, "the forward pass in evaluation mode, tried on 4 samples of shape (6,), ra"),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(2)), "its parameter 0.weight has no shape"),
    "meta": (lambda: nn.Linear(FEATURES, 2, device="meta"), "is on the device meta"),
    "DataParallel": (lambda: nn.DataParallel(Net()), "it is wrapped in DataParallel"),
    "nothing trains": (lambda: Net().requires_grad_(False), "no parameter of it trains"),
    "no module": (lambda: torch.tanh, "it builds builtin_function_or_method, not an nn.Module"),
    "an error": (lambda: nn.Linear(5, 2), "the forward pass in training mode, tried on 4 samples of shape (6,), r"),
    "an error where it is built": (nn.Linear, "building it, tried on 4 samples of shape (6,), raised TypeError"),
}  # fmt: skip
ONE = Net()
REFUSED["one network for all seeds"] = (lambda: ONE, "it is one network for all seeds: its parameter a.weight")


def recipe(function, **section):
    return Recipe.model_validate(
        {"trainable": {"function": function, "batch": "full", **section}, "measure": {"every": "epoch"}}
    )


def point(seed=0, lam=LAM, **changes):
    values = {"eta": ETA, "lam": lam, "mu": 0.0, "seed": seed, "sigma_w": 1.0, "budget": float(STEPS)} | changes
    return Point(id=f"{seed}-{lam}", **values)


def plain_loop(task, seed, lam, loss=functional.cross_entropy):
    """Train as anyone would with torch; the loss after each step, in evaluation mode, and the module."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    module = task.model()
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=ETA, weight_decay=lam)
    x, y = task.data.normalize(task.data.train.x), task.data.train.labels
    test, labels = task.data.normalize(task.data.test.x), task.data.test.labels
    rows = []
    for step in range(STEPS):
        optimizer.zero_grad()
        order = np.random.default_rng([seed, step]).permutation(len(x))  # random numbers go to samples by their place
        with seeded(Draw(step, 0).seed_of(seed)):
            loss(logits_of(module.train()(x[order])), y[order]).backward()
        optimizer.step()
        with torch.no_grad():
            norm = sum(p.abs().square().sum() for p in module.parameters() if p.requires_grad)
            module.eval()
            rows.append(
                [float(loss(logits_of(module(data)), to)) for data, to in ((x, y), (test, labels))] + [float(norm)]
            )
    return np.array(rows), module


def rows_of(measurements, member):
    columns = ("train_loss", "test_loss", "weight_norm")
    return np.array(
        [
            [m.values[c][m.members.index(member)] for c in columns]
            for m in measurements
            if member in m.members
        ]
    )  # fmt: skip


def check_trains_as_torch(task):
    with registered(lambda: task) as name:
        settings = recipe(name)
        profile(settings)
        points = [point(0), point(1), point(2, lam=0.05)]
        for pack in ([points[0]], points):
            training = PackTraining(pack, settings)
            measurements, weights = [], {}
            for measurement in training.measurements():
                measurements.append(measurement)
                weights |= {end.member: training.weights(end.member) for end in measurement.ends}
            for member, p in enumerate(pack):
                expected, module = plain_loop(task, p.seed, p.lam)
                got = rows_of(measurements, member)
                np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
                check_loads(task, p, weights[member], module, got)
            check_resumes(pack, settings, measurements)
        return admission_of(settings.trainable, task)


def check_loads(task, p, weights, module, rows):
    """A fresh module with the weights from a file gives the loss of the last row; shared tensors stay shared."""
    file = io.BytesIO()
    torch.save(weights, file)
    loaded = built_from(task, p.seed)
    _copy_in(loaded, torch.load(io.BytesIO(file.getvalue()), weights_only=True), "file")
    assert weights.keys() == {k for k, t in module.state_dict().items() if isinstance(t, torch.Tensor)}
    assert len(list(loaded.parameters())) == len(list(module.parameters()))
    x, labels = task.data.normalize(task.data.test.x), task.data.test.labels
    with torch.no_grad():
        loss = float(functional.cross_entropy(logits_of(loaded.eval()(x)), labels))
    assert loss == pytest.approx(rows[-1, 1], rel=1e-5)


def check_resumes(pack, settings, expected):
    first = PackTraining(pack, settings)
    state = None
    for measurement in itertools.islice(first.measurements(), STEPS // 2):
        state, step = first.state_dict(), measurement.step
    file = io.BytesIO()
    torch.save(state, file)
    second = PackTraining(pack, settings)
    second.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    rest = list(second.measurements())
    wanted = [m for m in expected if m.step > step]
    assert [m.step for m in rest] == [m.step for m in wanted]
    for got, want in zip(rest, wanted, strict=True):
        for column in want.values:
            np.testing.assert_array_equal(got.values[column], want.values[column], err_msg=column)
