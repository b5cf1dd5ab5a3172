import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from trainables.data.cache import CACHE_FOLDER, cached_array, folder_lock

ARRAY = np.arange(100_000, dtype=np.uint8).reshape(100, 1000)
fork = multiprocessing.get_context("fork")  # the children use numpy alone, and a spawned one would import torch for 3 s


def made(root, key="key", log=None, seconds=0.0):
    """The cached array; who makes it says so in the log."""

    def make():
        if log is not None:
            with log.open("a") as file:
                file.write("made\n")
        time.sleep(seconds)
        return ARRAY

    return cached_array(root, key, make)


def check_in_child(root, log, seconds):
    np.testing.assert_array_equal(made(root, log=log, seconds=seconds), ARRAY)


def never():
    raise AssertionError("the array is stored")


def test_an_array_is_made_once_and_mapped_from_its_file(tmp_path):
    np.testing.assert_array_equal(made(tmp_path), ARRAY)
    again = cached_array(tmp_path, "key", never)
    np.testing.assert_array_equal(again, ARRAY)
    assert isinstance(again, np.memmap)
    assert sorted(p.name for p in (tmp_path / CACHE_FOLDER).iterdir()) == [".lock", "key.npy"]


def test_writing_to_the_array_leaves_the_file_alone(tmp_path):
    made(tmp_path)[:] = 0
    np.testing.assert_array_equal(cached_array(tmp_path, "key", never), ARRAY)


@pytest.mark.parametrize("length", [0, 50, 128, 5000])
def test_a_file_cut_short_is_made_again(tmp_path, length):
    made(tmp_path)
    file = tmp_path / CACHE_FOLDER / "key.npy"
    file.write_bytes(file.read_bytes()[:length])
    np.testing.assert_array_equal(made(tmp_path), ARRAY)
    np.testing.assert_array_equal(cached_array(tmp_path, "key", never), ARRAY)


def test_pickles_are_not_read(tmp_path):
    (tmp_path / CACHE_FOLDER).mkdir()
    np.save(tmp_path / CACHE_FOLDER / "key.npy", np.array([print]), allow_pickle=True)
    np.testing.assert_array_equal(made(tmp_path), ARRAY)


def test_of_many_processes_one_makes_the_array_and_all_get_it(tmp_path):
    log = tmp_path / "log"
    children = [fork.Process(target=check_in_child, args=(tmp_path, log, 0.2)) for _ in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 6
    assert log.read_text() == "made\n"


def test_a_process_that_dies_over_it_leaves_the_next_free_to_make_it(tmp_path):
    log = tmp_path / "log"
    child = fork.Process(target=check_in_child, args=(tmp_path, log, 60))
    child.start()
    while not log.exists():
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    np.testing.assert_array_equal(made(tmp_path, log=log), ARRAY)
    assert log.read_text() == "made\nmade\n"


@pytest.fixture
def read_only():
    """A folder that may not be written; root is another user meanwhile, since root may write everything."""
    folder = Path(tempfile.mkdtemp())  # not below tmp_path, into which other users may not look
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_where_nothing_may_be_written_the_array_is_made_each_time(read_only):
    with pytest.raises(PermissionError):
        (read_only / "file").touch()
    for _ in range(2):
        np.testing.assert_array_equal(made(read_only), ARRAY)
    assert list(read_only.iterdir()) == []


def test_a_failure_to_make_it_stores_nothing_and_frees_the_lock(tmp_path):
    def fail():
        raise ValueError("no image")

    with pytest.raises(ValueError, match="no image"):
        cached_array(tmp_path, "key", fail)
    np.testing.assert_array_equal(made(tmp_path), ARRAY)


def test_the_lock_of_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"), folder_lock(tmp_path / "none"):
        pass
