import torch

from search_spaces.sections.data import Teacher
from trainables.data import teacher
from trainables.data.teacher import load_teacher


def load(**kwargs):
    return load_teacher(Teacher(name="teacher", **kwargs))


def test_inputs_are_standard_normal():
    data = load(train=5000, test=100)
    assert data.train.shape == (20,)
    assert data.train.x.dtype == torch.float32
    assert [len(data.train), len(data.test)] == [5000, 100]
    assert abs(float(data.mean)) < 0.02
    assert abs(float(data.std) - 1) < 0.02


def test_the_same_seed_gives_the_same_set_and_another_another():
    a, b, c = load(), load(), load(seed=1)
    assert torch.equal(a.train.x, b.train.x)
    assert torch.equal(a.train.labels, b.train.labels)
    assert not torch.equal(a.train.x, c.train.x)


def test_sets_of_different_sizes_begin_with_the_same_samples():
    small, large = load(train=100), load(train=200, test=300)
    assert torch.equal(small.train.labels, large.train.labels[:100])
    assert torch.equal(small.test.x[:300], large.test.x)


def test_labels_do_not_depend_on_the_chunks_they_are_computed_in(monkeypatch):
    whole = load(train=500)
    monkeypatch.setattr(teacher, "CHUNK_NUMBERS", 160)
    assert torch.equal(load(train=500).train.labels, whole.train.labels)


def test_without_hidden_layers_labels_are_linear():
    data = load(train=2000, depth=0, classes=2, inputs=5)
    signs = (data.train.labels * 2 - 1).double()
    direction = torch.linalg.lstsq(data.train.x.double(), signs[:, None]).solution[:, 0]
    agree = ((data.train.x.double() @ direction > 0) == (data.train.labels == 1)).double().mean()
    assert agree > 0.95


def test_all_classes_occur():
    assert torch.bincount(load(classes=4, width=64).train.labels, minlength=4).min() > 0


def test_noise_replaces_that_share_of_training_labels_alone():
    clean, noisy = load(train=10_000, classes=4), load(train=10_000, classes=4, noise=0.4)
    changed = float((clean.train.labels != noisy.train.labels).double().mean())
    assert abs(changed - 0.4 * 3 / 4) < 0.02  # a quarter of the random labels is right by chance
    assert torch.equal(clean.test.labels, noisy.test.labels)
    assert torch.equal(clean.train.x, noisy.train.x)
