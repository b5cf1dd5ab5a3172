import hashlib
import pickle
import re

import numpy as np
import pytest
import torch
from torchvision import datasets

from search_spaces.errors import InputError
from search_spaces.sections.data import TorchvisionImages
from trainables.data.torchvision_sets import load_torchvision, published_shapes


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.fixture(params=["mnist", "fashion_mnist"])
def idx_set(request, tmp_path):
    """(name, root, arrays) of a small set in the format of MNIST."""
    rng = np.random.default_rng(0)
    raw = tmp_path / {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}[request.param] / "raw"
    raw.mkdir(parents=True)
    arrays = {}
    for part, n in (("train", 30), ("t10k", 10)):
        arrays[part] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", arrays[part][0])
        write_idx(raw / f"{part}-labels-idx1-ubyte", arrays[part][1])
    return request.param, tmp_path, arrays


@pytest.fixture
def cifar_root(tmp_path, monkeypatch):
    """Small batches in the format of CIFAR-10; torchvision is told their checksums in place of the real ones."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    def batch(i):
        return {"data": rng.integers(0, 256, (4, 3072), dtype=np.uint8), "labels": [i, 1, 2, 9]}

    train = [write(f"data_batch_{i}", batch(i)) for i in range(1, 6)]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", train)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [write("test_batch", batch(0))])
    meta = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return tmp_path


def load(name, root, **kwargs):
    return load_torchvision(TorchvisionImages(name=name, root=str(root), **kwargs))


def test_idx_files_are_read_as_bytes_of_one_channel(idx_set):
    name, root, arrays = idx_set
    data = load(name, root)
    for samples, (images, labels) in zip((data.train, data.test), arrays.values(), strict=True):
        assert samples.shape == (1, 28, 28)
        np.testing.assert_array_equal(samples.at(torch.arange(len(images)))[:, 0], images)
        np.testing.assert_array_equal(samples.labels, labels)
    assert data.classes == 10


def test_the_first_images_are_taken_and_normalized_by_their_own_numbers(idx_set):
    name, root, arrays = idx_set
    data = load(name, root, train=20, test=3)
    assert [len(data.train), len(data.test)] == [20, 3]
    np.testing.assert_array_equal(data.train.labels, arrays["train"][1][:20])
    assert float(data.mean) == pytest.approx(arrays["train"][0][:20].mean(), rel=1e-6)


def test_parity_is_whether_the_class_number_is_odd(idx_set):
    name, root, arrays = idx_set
    data = load(name, root, labels="parity")
    assert data.classes == 2
    np.testing.assert_array_equal(data.train.labels, arrays["train"][1] % 2)
    np.testing.assert_array_equal(data.test.labels, arrays["t10k"][1] % 2)


def test_cifar_is_read_as_torchvision_reads_it(cifar_root):
    data = load("cifar10", cifar_root, normalize="channel")
    theirs = datasets.CIFAR10(cifar_root, train=True)
    assert data.train.shape == (3, 32, 32)
    assert data.mean.shape == (3, 1, 1)
    np.testing.assert_array_equal(data.train.at(torch.arange(20)).permute(0, 2, 3, 1), theirs.data)
    assert data.train.labels.tolist() == theirs.targets
    assert len(data.test) == 4


def test_more_images_than_there_are_is_refused(idx_set):
    name, root, _ = idx_set
    message = f"trainable.data.train: 70000 is not allowed: {name} in {root} has 30 training images"
    with pytest.raises(InputError, match=re.escape(message)):
        load(name, root, train=70_000)
    with pytest.raises(InputError, match=r"trainable.data.test: 11 is not allowed: .* has 10 test images"):
        load(name, root, test=11)


@pytest.mark.parametrize(
    ("name", "folder", "file"),
    [
        ("mnist", "MNIST/raw", "t10k-images-idx3-ubyte"),
        ("fashion_mnist", "FashionMNIST/raw", "train-labels-idx1-ubyte"),
        ("cifar10", "cifar-10-batches-py", "data_batch_1"),
    ],
)
def test_a_missing_set_is_an_error_that_names_the_place_the_files_and_the_remedy(
    tmp_path, monkeypatch, name, folder, file
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        load(name, "data")
    message = str(raised.value)
    assert str(tmp_path / "data" / folder) in message
    assert file in message
    assert "Set trainable.data.root to the folder that holds" in message
    assert "trainable.data.download: true" in message


def test_a_damaged_set_is_an_error(idx_set):
    name, root, _ = idx_set
    file = next(root.glob("*/raw/train-images-idx3-ubyte"))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=f"finds no intact {name} in"):
        load(name, root)


def test_a_failed_download_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["file:///nowhere/"])
    with pytest.raises(InputError, match=r"trainable.data.download: true failed: .* mnist to .*: Error downloading"):
        load("mnist", tmp_path, download=True)


def test_a_set_that_is_there_is_not_downloaded(idx_set, monkeypatch):
    name, root, _ = idx_set
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["file:///nowhere/"])
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["file:///nowhere/"])
    assert len(load(name, root, download=True).train) == 30


def test_held_out_images_are_of_the_training_set_and_the_test_set_is_not_read(idx_set):
    name, root, arrays = idx_set
    for file in root.glob("*/raw/t10k-*"):
        file.unlink()
    torchvision_needs = {f"t10k-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")}
    for file in torchvision_needs:  # it only looks whether they are there
        (next(root.glob("*/raw")) / file).touch()
    data = load(name, root, train=20, validation=8)
    np.testing.assert_array_equal(data.train.labels, arrays["train"][1][:20])
    np.testing.assert_array_equal(data.test.labels, arrays["train"][1][20:28])
    np.testing.assert_array_equal(data.test.at(torch.arange(8))[:, 0], arrays["train"][0][20:28])
    rest = load(name, root, validation=8)
    assert [len(rest.train), len(rest.test)] == [22, 8]
    assert float(rest.mean) == pytest.approx(arrays["train"][0][:22].mean(), rel=1e-6)


def test_a_set_that_is_not_there_is_planned_with_its_held_out_images():
    data = published_shapes(TorchvisionImages(name="mnist", validation=5000))
    assert [len(data.train), len(data.test)] == [55_000, 5000]
