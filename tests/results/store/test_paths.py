"""Folders and object stores answer alike."""

import secrets
from pathlib import Path

import pytest
from store_support import s3_store

from results.store import paths
from results.store.files import (
    create,
    local_copy,
    make_folder,
    read_limited,
    size_of,
    sizes_in,
    version_of,
    write_bytes,
)
from results.store.paths import ObjectPath, StoreError, any_path
from results.store.sweep_dir import SweepDir, files_of
from search_spaces.errors import InputError


@pytest.fixture(scope="module")
def s3():
    with s3_store() as server:
        yield server


@pytest.fixture(params=["folder", "memory", "s3"])
def root(request, tmp_path):
    """An empty place of each kind."""
    if request.param == "folder":
        return any_path(tmp_path)
    if request.param == "s3":
        request.getfixturevalue("s3")
        return any_path(f"s3://sweeps/{secrets.token_hex(4)}")
    return any_path(f"memory://sweeps/{secrets.token_hex(4)}")


def test_what_is_written_is_there(root):
    path = root / "rows" / "a.parquet"
    assert not path.exists()
    assert not path.is_file()
    write_bytes(path, b"one")
    before = version_of(path)
    write_bytes(path, b"three")
    assert path.exists()
    assert path.is_file()
    assert (root / "rows").exists()
    assert not (root / "rows").is_file()
    assert path.read_bytes() == b"three"
    assert path.read_text(encoding="utf-8") == "three"
    assert size_of(path) == 5
    assert version_of(path) != before
    with local_copy(path) as copy:
        assert isinstance(copy, Path)
        assert copy.name == "a.parquet"
        assert copy.read_bytes() == b"three"
    with pytest.raises(InputError, match=r"a\.parquet: 5 bytes; at most 4"):
        read_limited(path, 4)


def test_only_one_creates(root):
    make_folder(root / "attempts")
    create(root / "attempts" / "k-000")
    with pytest.raises(FileExistsError):
        create(root / "attempts" / "k-000")


def test_a_listing_has_the_names_that_begin_so(root):
    for name in ("k1-000", "k1-001", "k10-000", ".hidden"):
        write_bytes(root / "attempts" / name, b"x" * len(name))
    assert sizes_in(root / "attempts", "k1-") == {"k1-000": 6, "k1-001": 6}
    assert list(sizes_in(root / "attempts")) == ["k1-000", "k1-001", "k10-000"]
    assert sizes_in(root / "nothing") == {}


def test_what_is_gone_is_no_error_where_that_is_said(root):
    path = root / "a"
    with pytest.raises(FileNotFoundError) as error:
        path.read_bytes()
    assert str(error.value.filename) == str(path)
    with pytest.raises(FileNotFoundError):
        path.unlink()
    path.unlink(missing_ok=True)
    write_bytes(path, b"")
    path.unlink()
    assert not path.exists()


def test_every_file_of_a_sweep_is_found_with_its_size(root):
    directory = SweepDir(root / "demo")
    write_bytes(directory.plan, b"{}")
    write_bytes(directory.analysis / "figures" / "a.svg", b"<svg/>")
    write_bytes(root / "demo-2" / "plan.json", b"of another")
    found = files_of(directory)
    assert {directory.inside(path): size for path, size in found.items()} == {
        "plan.json": 2,
        "analysis/figures/a.svg": 6,
    }


def test_names_of_an_object_are_those_of_a_path():
    path, like = any_path("s3://bucket/runs/digits/a.tar.gz"), Path("/bucket/runs/digits/a.tar.gz")
    for name in ("name", "stem", "suffix"):
        assert getattr(path, name) == getattr(like, name)
    assert str(path) == "s3://bucket/runs/digits/a.tar.gz"
    assert str(path.parent) == "s3://bucket/runs/digits"
    assert str(path.with_name("b")) == "s3://bucket/runs/digits/b"
    assert str(path.with_suffix(".svg")) == "s3://bucket/runs/digits/a.tar.svg"
    assert path == any_path("s3://bucket//runs/digits/./a.tar.gz")
    assert hash(path) == hash(any_path(str(path)))
    assert sorted([path, path.parent]) == [path.parent, path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://host/runs", r"in object stores \(s3://, gs://\), not in ftp://"),
        ("s3://", "name a bucket, as s3://bucket/runs"),
        ("gs://bucket/runs", "the package gcsfs is not installed here"),
    ],
)
def test_where_no_sweep_can_lie(text, message):
    with pytest.raises(InputError, match=message):
        any_path(text)


def test_a_folder_may_be_given_in_any_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert any_path("runs") == any_path(Path("runs")) == any_path(f"file://{tmp_path}/runs") == tmp_path / "runs"


def test_a_bucket_that_is_not_there_is_named(s3):
    with pytest.raises(FileNotFoundError, match="no such bucket") as error:
        any_path("s3://nothing/runs").sizes()
    assert error.value.filename == "s3://nothing/runs"
    with pytest.raises(FileNotFoundError, match="no such bucket"):
        write_bytes(any_path("s3://nothing/runs/a"), b"x")


def test_an_answer_that_was_lost_is_asked_for_again(s3, monkeypatch):
    """A library that repeats a request finds what its first one made: that is no other's."""
    create_once = ObjectPath.create

    def twice(path, content):
        create_once(path, content)
        create_once(path, content)

    monkeypatch.setattr(ObjectPath, "create", twice)
    path = any_path(f"s3://sweeps/{secrets.token_hex(4)}/attempts/k-000")
    create(path)
    with pytest.raises(FileExistsError):
        create(path)


def test_a_store_that_is_away_is_no_damage_and_no_absence(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # discard: nothing listens there
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    paths._store.cache_clear()
    try:
        path = any_path("s3://sweeps/runs/a")
        with pytest.raises(StoreError, match="Could not connect") as error:
            path.read_bytes()
        assert error.value.filename == "s3://sweeps/runs/a"
    finally:
        paths._store.cache_clear()
