"""Where a sweep lies: in a folder, or below a prefix of an object store (S3, GCS). See docs/durability.md.

An object store has no folders and no rename, and needs neither: an object appears whole or not at all, a listing shows
it from then on, and a conditional write says who was first.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from search_spaces.errors import InputError

# Stores that write an object whole, list it at once, and can refuse to write over one: scheme to fsspec's package.
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "memory": "fsspec"}  # memory: of this process, for tests
_OPTIONS: dict[str, dict[str, Any]] = {
    # Five tries at a store that is away take 10 s, with botocore's own time-outs five minutes.
    "s3": {"use_listings_cache": False, "config_kwargs": {"connect_timeout": 10, "read_timeout": 60}},
    "gs": {"use_listings_cache": False},
}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL)


class StoreError(OSError):
    """An object store could not be asked, or refused: what lies there is as it was."""


@dataclass(frozen=True, slots=True)
class _Store:
    """A store: its scheme, and the fsspec file system that speaks to it."""

    scheme: str
    files: Any


class ObjectPath:
    """A name in an object store; of ``pathlib.Path`` it has what a sweep needs.

    Whatever goes wrong is an ``OSError`` with the address in it. No listing is kept: another machine may write.
    """

    __slots__ = ("_key", "_store")

    def __init__(self, store: _Store, key: str) -> None:
        """``key`` begins with the bucket."""
        self._store, self._key = store, key

    def __str__(self) -> str:
        """Its address, as ``s3://bucket/runs/digits``."""
        return f"{self._store.scheme}://{self._key}"

    def __repr__(self) -> str:
        """Its address."""
        return f"ObjectPath({str(self)!r})"

    def __hash__(self) -> int:
        """By address."""
        return hash(str(self))

    def __eq__(self, other: object) -> bool:
        """By address."""
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __lt__(self, other: ObjectPath) -> bool:
        """By address."""
        return str(self) < str(other)

    def __truediv__(self, name: str) -> ObjectPath:
        """What is called ``name`` below it."""
        return ObjectPath(self._store, posixpath.join(self._key, name))

    @property
    def name(self) -> str:
        """Behind the last slash."""
        return PurePosixPath(self._key).name

    @property
    def stem(self) -> str:
        """``name`` without its ending."""
        return PurePosixPath(self._key).stem

    @property
    def suffix(self) -> str:
        """Ending of ``name``, as ``.svg``."""
        return PurePosixPath(self._key).suffix

    @property
    def parent(self) -> ObjectPath:
        """Before the last slash."""
        return ObjectPath(self._store, posixpath.dirname(self._key))

    def with_name(self, name: str) -> ObjectPath:
        """Beside it."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> ObjectPath:
        """With another ending."""
        return self.with_name(self.stem + suffix)

    def read_bytes(self) -> bytes:
        """Its content."""
        with self._errors():
            return bytes(self._store.files.cat_file(self._key))

    def read_text(self, encoding: str = "utf-8") -> str:
        """Its content as text."""
        return self.read_bytes().decode(encoding)

    def write(self, content: bytes) -> None:
        """Write it whole or not at all, over what was there."""
        with self._errors():
            self._store.files.pipe_file(self._key, content)

    def create(self, content: bytes) -> None:
        """Write it if nothing is there.

        Raises:
            FileExistsError: something is.
        """
        with self._errors():
            self._store.files.pipe_file(self._key, content, mode="create")

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete it."""
        if not missing_ok and not self.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        with suppress(FileNotFoundError), self._errors():
            self._store.files.rm_file(self._key)

    def exists(self) -> bool:
        """Whether there is an object of this name, or any below it."""
        with self._errors():
            return bool(self._store.files.exists(self._key))

    def is_file(self) -> bool:
        """Whether there is an object of this name."""
        with self._errors():
            return bool(self._store.files.isfile(self._key))

    def size(self) -> int:
        """Bytes."""
        with self._errors():
            return int(self._store.files.info(self._key)["size"])

    def version(self) -> str:
        """Another one whenever it was written anew."""
        with self._errors():
            return str(self._store.files.ukey(self._key))

    def arrow(self) -> tuple[str, Any]:
        """As pyarrow's data sets want it: a name, and the file system that has it."""
        return self._key, self._store.files

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Of all below it whose names begin with ``prefix``: name, as seen from here, to bytes."""
        with self._errors():
            found = self._store.files.find(self._key, detail=True, **({"prefix": prefix} if prefix else {}))
        start = f"{self._key}/"
        keys = {key.lstrip("/"): int(info["size"]) for key, info in found.items()}  # fsspec's memory has /bucket
        names = {key.removeprefix(start): size for key, size in sorted(keys.items()) if key.startswith(start)}
        return {name: size for name, size in names.items() if name.startswith(prefix)}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What a store's library raises is an OSError here, with the address."""
        try:
            yield
        except FileNotFoundError as error:
            what = "no such bucket" if "specified bucket" in str(error) else os.strerror(errno.ENOENT)
            raise FileNotFoundError(errno.ENOENT, what, str(self)) from error
        except FileExistsError as error:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self)) from error
        except PermissionError as error:
            raise StoreError(errno.EACCES, f"the store refuses: {error}", str(self)) from error
        except Exception as error:  # of botocore, aiohttp, google and others: none of them is an OSError
            text = str(error).partition("\n")[0] or type(error).__name__
            if "locate credentials" in text:
                text = (
                    text.rstrip(".")
                    + ". Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (docs/durability.md)"
                )
            raise StoreError(errno.EIO, text, str(self)) from error


AnyPath = Path | ObjectPath
"""Where a sweep, or a file of it, lies."""


def any_path(text: str | os.PathLike[str]) -> AnyPath:
    """A folder, as an absolute path with its links, or an address in an object store.

    Raises:
        InputError: a scheme that no sweep can lie in, or whose package is not installed.
    """
    match = _SCHEME.fullmatch(os.fspath(text))
    if not match or match[1] == "file":
        return Path(os.path.abspath(match[2] if match else text))  # noqa: PTH100 - resolve() would follow links
    scheme, key = match.groups()
    if scheme not in _PACKAGES:
        known = ", ".join(f"{name}://" for name in _PACKAGES if name != "memory")
        raise InputError(f"{text}: sweeps lie in folders or in object stores ({known}), not in {scheme}://.")
    if not key.strip("/"):
        raise InputError(f"{text}: name a bucket, as {scheme}://bucket/runs.")
    return ObjectPath(_store(scheme), posixpath.normpath(key.strip("/")))


@cache
def _store(scheme: str) -> _Store:
    """The store of a scheme, set up by its own environment (AWS_ENDPOINT_URL, AWS_PROFILE and so on)."""
    try:
        files = import_module("fsspec").filesystem(scheme, skip_instance_cache=True, **_OPTIONS.get(scheme, {}))
    except ImportError:
        package = _PACKAGES[scheme]
        raise InputError(
            f"{scheme}://: the package {package} is not installed here; 'pip install {package}'."
        ) from None
    return _Store(scheme, files)
