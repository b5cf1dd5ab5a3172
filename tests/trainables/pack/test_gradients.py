"""A step of several micro-batches: the numbers of plain torch, those of the whole batch, and the memory of one."""

import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from trainables.data import load_data
from trainables.models import build_model, initial_buffers, initial_parameters
from trainables.pack.training import PackTraining
from trainables.train import train_pack

SAMPLES, BATCH = 64, 32
CNN = {"name": "cnn", "channels": 3, "dense": 6, "pool": 2}
AUGMENTED = {"flip": True, "crop": 1, "mixup": 1.0}


def _curves(points, recipe):
    """Column to numbers, (measurements, points)."""
    measurements = list(train_pack(points, recipe))
    return {name: np.stack([m.values[name] for m in measurements]) for name in measurements[0].values}


def _assert_close(curves, others, rtol=2e-5):
    for name in ("train_loss", "test_loss", "weight_norm", "decay_time", "lam_t"):
        np.testing.assert_allclose(curves[name], others[name], rtol=rtol, err_msg=name)


def _last_weights(training):
    """Member to its weights at its end."""
    ends = {}
    for measurement in training.measurements():
        ends |= {end.member: training.weights(end.member) for end in measurement.ends}
    return ends


WITHOUT_BATCH_NORM = {
    "cross-entropy": {},
    "the paper's loss": {"trainable.loss": {"name": "softmax", "scale": "paper"}},
    "a sum over samples": {"trainable.loss": {"name": "mse", "scale": "sum"}},
    "convolutions": {"trainable.model": CNN},
    "augmented": {"trainable.augment": AUGMENTED},
    "adamw": {"optimizer": {"name": "adamw"}},
    "AutoL2 looks at the batch": {"l2": {"auto": {"every": 2}}},
    "AutoL2 looks at the set": {"l2": {"auto": {"every": 2, "signal": "train"}}},
    "full batch": {"trainable.batch": "full"},
}


@pytest.mark.parametrize("points", [1, 3])
@pytest.mark.parametrize("name", WITHOUT_BATCH_NORM)
def test_without_batch_norm_the_numbers_are_those_of_the_whole_batch(make_point, make_recipe, name, points):
    changes = {"trainable.batch": BATCH} | WITHOUT_BATCH_NORM[name]
    mu = 0.0 if "optimizer" in changes else 0.9
    eta = 0.001 if "sum" in name or "adamw" in name else 0.02
    pack = [make_point(eta=eta, lam=lam, mu=mu, seed=s, budget=4) for s, lam in enumerate((0.03, 0.3, 0.1)[:points])]
    whole = _curves(pack, make_recipe(changes))
    _assert_close(_curves(pack, make_recipe(changes | {"trainable.micro_batch": 8})), whole)


class _Plain:
    """Plain torch in float64: loss.backward() over the micro-batches, torch.optim.SGD, torch's own batch norm."""

    def __init__(self, point, recipe):
        data = load_data(recipe.trainable.data)
        self.x, self.labels, self.seed = data.normalize(data.train.x).double(), data.train.labels, point.seed
        self.module = build_model(recipe.trainable.model, data.train.shape, data.classes).to_empty(device="cpu")
        start = initial_parameters(self.module, seed=point.seed, sigma_w=point.sigma_w, sigma_b=0.0)
        self.module.load_state_dict(start | initial_buffers(self.module))
        self.module.double().train()
        self.optimizer = torch.optim.SGD(
            self.module.parameters(), lr=point.eta, momentum=point.mu, weight_decay=point.lam
        )

    def run(self, epochs, size):
        for epoch in range(epochs):
            order = torch.from_numpy(np.random.default_rng([self.seed, epoch]).permutation(SAMPLES))
            for batch in order.split(BATCH):
                self.optimizer.zero_grad()
                before = {name: b.clone() for name, b in self.module.named_buffers()}
                after = []
                for micro_batch in batch.split(size):
                    self.module.load_state_dict(before, strict=False)
                    loss = nn.functional.cross_entropy(self.module(self.x[micro_batch]), self.labels[micro_batch])
                    (loss / (BATCH // size)).backward()
                    after.append({name: b.clone() for name, b in self.module.named_buffers()})
                mean = {name: torch.stack([b[name].double() for b in after]).mean(0) for name in before}
                self.module.load_state_dict(mean, strict=False)
                self.optimizer.step()
        return self.module


@pytest.mark.parametrize("size", [4, 16])
@pytest.mark.parametrize("kind", ["none", "batch", "running"])
def test_every_step_is_that_of_plain_torch(make_point, make_recipe, kind, size):
    recipe = make_recipe(
        {"trainable.model": CNN | {"batch_norm": kind}, "trainable.batch": BATCH, "trainable.micro_batch": size}
    )
    point = make_point(eta=0.02, lam=0.03, mu=0.9, budget=4)
    weights = _last_weights(PackTraining([point], recipe))[0]
    expected = _Plain(point, recipe).run(4, size).state_dict()
    assert weights.keys() == expected.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor.double(), expected[name].double(), rtol=2e-4, atol=1e-5)


def test_running_statistics_move_once_a_step(make_point, make_recipe):
    model = CNN | {"batch_norm": "running"}
    recipe = make_recipe({"trainable.model": model, "trainable.batch": BATCH, "trainable.micro_batch": 4})
    training = PackTraining([make_point(budget=3), make_point(seed=1, budget=3)], recipe)
    for weights in _last_weights(training).values():
        counts = [int(b) for name, b in weights.items() if name.endswith("num_batches_tracked")]
        assert set(counts) == {6}  # two steps an epoch


def test_micro_batches_of_a_batch_norm_are_their_own(make_point, make_recipe):
    """Else the test above of plain torch would show nothing."""
    changes = {"trainable.model": CNN | {"batch_norm": "batch"}, "trainable.batch": BATCH}
    point = make_point(eta=0.02, budget=4)
    whole, parts = (_curves([point], make_recipe(changes | more)) for more in ({}, {"trainable.micro_batch": 4}))
    assert not np.allclose(whole["train_loss"], parts["train_loss"], rtol=1e-3)


class _Kept:
    """Bytes that autograd keeps for the backward pass, and the most that it kept at once."""

    def __init__(self):
        self.now = self.most = 0

    def __enter__(self):
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept[0])
        self._hooks.__enter__()
        return self

    def __exit__(self, *error):
        self._hooks.__exit__(*error)

    def _keep(self, tensor):
        class Box(list):
            pass

        box, size = Box([tensor]), tensor.numel() * tensor.element_size()
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(box, self._forget, size)
        return box

    def _forget(self, size):
        self.now -= size


@pytest.mark.parametrize("model", [{"name": "fc", "width": 16, "depth": 2}, CNN], ids=["fc", "cnn"])
def test_a_step_keeps_the_activations_of_one_micro_batch(make_point, make_recipe, model):
    def most(**changes):
        sizes = {"trainable.data.train": 512, "trainable.batch": 512}  # so that weights, kept too, count little
        changes = {"trainable.model": model, "trainable.augment": AUGMENTED, "measure.train": 1} | sizes | changes
        training = PackTraining([make_point(budget=1)], make_recipe(changes))
        gc.collect()
        with _Kept() as kept:
            for _ in training.measurements():
                pass
        return kept.most

    whole, eighth = most(), most(**{"trainable.micro_batch": 64})
    assert 0 < eighth < whole / 6


def test_micro_batches_of_files_are_read_once_and_ahead(make_point, make_recipe, tmp_path, monkeypatch):
    from PIL import Image

    from trainables.data import streamed

    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("a", "b"):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for i in range(8):
                Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    data = {"name": "image_folder", "root": str(tmp_path), "size": 7}
    augment = {"flip": True, "resized_crop": True}
    changes = {"trainable.data": data | {"stream": True}, "trainable.batch": 8, "trainable.augment": augment}
    point, read = make_point(budget=3), []
    decode = streamed.decode_random_crops

    def counted(paths, *rest, **options):
        read.append(len(paths))
        return decode(paths, *rest, **options)

    monkeypatch.setattr(streamed, "decode_random_crops", counted)
    _assert_close(*(_curves([point], make_recipe(changes | {"trainable.micro_batch": size})) for size in (8, 4)))
    assert read == [8] * (3 * 2 + 1) + [4] * (3 * 4 + 1)  # one more, for the step that did not come
