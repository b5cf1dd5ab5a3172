import os
import re

import numpy as np
import pytest
import torch
from PIL import Image

from search_spaces.errors import InputError
from search_spaces.sections.data import ImageFolder
from trainables.data import image_folder
from trainables.data.cache import CACHE_FOLDER
from trainables.data.image_folder import load_image_folder


def never(*args):
    raise AssertionError("the images are stored")


def load(root, **kwargs):
    return load_image_folder(ImageFolder(name="image_folder", root=str(root), **kwargs))


def files(root, part):
    """Image files and classes in the order of use, as documented: a fixed permutation of the sorted files."""
    paths = sorted((root / part).glob("*/*"))
    return [paths[i] for i in np.random.default_rng(0).permutation(len(paths))]


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_images_are_those_of_the_files_and_labels_those_of_the_folders(write_folder, test_name):
    root = write_folder(test_name=test_name)
    data = load(root)
    assert data.classes == 3
    for samples, part in ((data.train, "train"), (data.test, test_name)):
        paths = files(root, part)
        images = samples.at(torch.arange(len(paths)))
        np.testing.assert_array_equal(images.permute(0, 2, 3, 1), [np.asarray(Image.open(p)) for p in paths])
        assert samples.labels.tolist() == ["abc".index(p.parent.name) for p in paths]


def test_the_first_images_of_the_permutation_are_taken(write_folder):
    root = write_folder()
    data = load(root, train=5, test=2)
    assert [len(data.train), len(data.test)] == [5, 2]
    assert data.train.labels.tolist() == ["abc".index(p.parent.name) for p in files(root, "train")[:5]]
    raw = data.train.at(torch.arange(5)).double()
    assert float(data.mean) == pytest.approx(float(raw.mean()), rel=1e-6)


def test_extensions_in_any_case_and_no_other_files(write_folder, random_image):
    root = write_folder(train=1)
    for name in ("x.JPEG", "x.Jpg", "x.bmp", "x.WEBP"):
        Image.fromarray(random_image(0)).save(root / "train" / "a" / name)
    for name in ("notes.txt", "._0.png", "Thumbs.db"):
        (root / "train" / "a" / name).write_text("no image")
    assert torch.bincount(load(root).train.labels).tolist() == [5, 1, 1]


def test_channels_can_be_normalized_each_by_its_own(write_folder):
    data = load(write_folder(), normalize="channel")
    x = data.normalize(data.train.at(torch.arange(12)))
    assert x.mean((0, 2, 3)).abs().max() < 1e-5
    assert (x.transpose(0, 1).flatten(1).std(1) - 1).abs().max() < 1e-5


def test_the_second_time_nothing_is_decoded(write_folder, monkeypatch):
    root = write_folder()
    first = load(root).train.x.clone()
    monkeypatch.setattr(image_folder, "decode_all", never)
    assert torch.equal(load(root).train.x, first)


def test_a_file_that_changed_is_decoded_again(write_folder, random_image):
    root = write_folder()
    load(root)
    changed = files(root, "train")[3]
    Image.fromarray(random_image(99)).save(changed)
    os.utime(changed, ns=(1, 1))
    np.testing.assert_array_equal(load(root).train.x[3].permute(1, 2, 0), random_image(99))


def test_each_size_and_number_of_images_has_its_own_cache(write_folder):
    root = write_folder()
    shapes = [tuple(load(root, **k).train.x.shape) for k in ({}, {"size": 8}, {"size": 8, "train": 3}, {})]
    assert shapes == [(12, 3, 24, 32), (12, 3, 8, 8), (3, 3, 8, 8), (12, 3, 24, 32)]


def test_streamed_images_are_those_in_memory(write_folder):
    root = write_folder(height=40, width=60, extension="jpg")
    memory, stream = load(root, size=16), load(root, size=16, stream=True)
    index = torch.tensor([7, 0, 11])
    assert stream.train.shape == memory.train.shape
    assert torch.equal(stream.train.at(index), memory.train.at(index))
    assert torch.equal(stream.test.labels, memory.test.labels)
    torch.testing.assert_close((stream.mean, stream.std), (memory.mean, memory.std))


def test_a_streamed_set_is_normalized_by_a_sample_of_it(write_folder, monkeypatch):
    monkeypatch.setattr(image_folder, "STATISTICS_IMAGES", 5)
    root = write_folder()
    stream, five = load(root, size=16, stream=True), load(root, size=16, train=5)
    torch.testing.assert_close((stream.mean, stream.std), (five.mean, five.std))
    assert len(list((root / CACHE_FOLDER).glob("sums-*.npy"))) == 1
    monkeypatch.setattr(image_folder, "decode_all", never)
    assert torch.equal(load(root, size=16, stream=True).mean, stream.mean)


def test_a_folder_where_nothing_can_be_stored_is_read_all_the_same(write_folder):
    root = write_folder()
    (root / CACHE_FOLDER).write_text("not a folder")
    assert len(load(root).train) == 12


def test_a_moved_set_keeps_its_cache(write_folder, monkeypatch):
    root = write_folder()
    load(root)
    root.rename(root.parent / "moved")
    monkeypatch.setattr(image_folder, "decode_all", never)
    assert len(load(root.parent / "moved").train) == 12


def error(root, **kwargs):
    with pytest.raises(InputError) as raised:
        load(root, **kwargs)
    return str(raised.value)


def test_a_missing_folder_is_named(tmp_path, write_folder):
    assert f"{tmp_path / 'none' / 'train'} cannot be read" in error(tmp_path / "none")
    root = write_folder()
    (root / "test").rename(root / "other")
    assert f"{root / 'test'} cannot be read (No such file or directory)" in error(root)


def test_a_class_of_the_test_set_alone_is_refused(write_folder):
    root = write_folder()
    (root / "test" / "d").mkdir()
    assert re.search(r"test has the class d, which .*train has not. Classes are the folders of train", error(root))


@pytest.mark.parametrize("what", ["empty", "missing", "other files"])
def test_a_test_set_without_a_class_is_refused(write_folder, what):
    """An accuracy over fewer classes is another number."""
    root = write_folder()
    for file in (root / "test" / "b").iterdir():
        file.unlink()
    if what == "missing":
        (root / "test" / "b").rmdir()
    if what == "other files":
        (root / "test" / "b" / "0.gif").write_bytes(b"GIF89a")
    said = {
        "empty": r"the class .*test/b has no images \(.*\)\. Add some",
        "missing": "test lacks the class b of .*train. Add images",
        "other files": r"the class .*test/b has no images \(.*\), but 1 \.gif\. Convert these",
    }
    assert re.search(said[what], error(root))
    assert len(load(root, validation=3).test) == 3


EXTENSIONS = ("bmp", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_extension_of_torchvision_is_read(write_folder, random_image, extension):
    root = write_folder(train=1)
    mode = "L" if extension == "pgm" else "RGB"
    Image.fromarray(random_image(0)).convert(mode).save(root / "train" / "a" / f"x.{extension}")
    assert torch.bincount(load(root).train.labels).tolist() == [2, 1, 1]
    assert load(root).notes == ()


def test_images_in_folders_of_a_class_are_read_in_order(write_folder, random_image):
    root = write_folder(train=2)
    folder = root / "train" / "b"
    for i, name in enumerate(("deep/er/0.png", "deep/1.png", ".hidden/2.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random_image(50 + i)).save(folder / name)
    (folder / "round").symlink_to(folder)
    data = load(root)
    assert torch.bincount(data.train.labels).tolist() == [2, 4, 2]
    order = np.random.default_rng(0).permutation(8)
    position = [*order].index(4)  # a0 a1 b0 b1 b/deep/1 b/deep/er/0 c0 c1
    np.testing.assert_array_equal(data.train.x[position].permute(1, 2, 0), random_image(51))


def test_files_that_are_no_images_are_counted(write_folder):
    root = write_folder()
    for name in ("0.gif", "1.GIF", "notes", ".DS_Store"):
        (root / "train" / "a" / name).write_bytes(b"none")
    (note,) = load(root).notes
    assert note.startswith(f"3 files were left out of {root / 'train'}: 2 .gif, 1 without extension. Images are .bmp")


def test_a_name_that_is_not_utf8_is_named(write_folder):
    root = write_folder()
    folder = root / "train" / "a"
    (folder / "0.png").rename(folder / os.fsdecode(b"\xff.png"))
    assert re.search(r"the name of .*train/a/\\xff\.png is not UTF-8\. Rename it", error(root))


def test_a_class_without_images_is_refused(write_folder):
    root = write_folder()
    (root / "train" / "d").mkdir()
    assert re.search(
        r"the class .*train/d has no images \(.bmp, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp\)", error(root)
    )


def test_less_than_two_classes_are_refused(tmp_path):
    (tmp_path / "train").mkdir()
    assert "train has no class folders; at least 2 classes are needed" in error(tmp_path)
    (tmp_path / "train" / "a").mkdir()
    assert "train has the class a; at least 2" in error(tmp_path)


def test_a_test_set_without_images_is_refused(write_folder):
    assert re.search(r"test has no images. Expected are ROOT/train/CLASS", error(write_folder(test=0)))


def test_more_images_than_there_are_is_refused(write_folder):
    root = write_folder()
    message = f"trainable.data.train: 13 is not allowed: image_folder in {root} has 12 training images"
    assert message in error(root, train=13)


def test_a_damaged_image_is_named(write_folder):
    root = write_folder()
    (root / "train" / "b" / "2.png").write_bytes(b"no image")
    assert f"the image {root / 'train' / 'b' / '2.png'} cannot be decoded" in error(root)


def test_a_link_to_nowhere_is_named(write_folder):
    root = write_folder()
    (root / "train" / "a" / "link.png").symlink_to("nowhere")
    assert "train/a/link.png cannot be read (No such file or directory)" in error(root)


def test_training_and_test_images_of_two_sizes_are_refused(write_folder, random_image):
    root = write_folder()
    for file in (root / "test").glob("*/*"):
        Image.fromarray(random_image(0, 8, 8)).save(file)
    assert re.search(r"images have several sizes: .*train.* has 32×24 pixels, .*test.* 8×8. Set", error(root))
    assert load(root, size=8).test.shape == (3, 8, 8)


@pytest.mark.parametrize("streamed", [{}, {"stream": True, "size": 16}])
def test_held_out_images_follow_the_training_images_of_the_permutation(write_folder, streamed):
    root = write_folder()
    data = load(root, train=5, validation=3, **streamed)
    labels = ["abc".index(p.parent.name) for p in files(root, "train")]
    assert data.train.labels.tolist() == labels[:5]
    assert data.test.labels.tolist() == labels[5:8]
    assert [len(part) for part in (load(root, validation=3).train, load(root, validation=3).test)] == [9, 3]


def test_held_out_images_need_no_test_set(write_folder):
    root = write_folder(test=0)
    assert len(load(root, validation=3).test) == 3
