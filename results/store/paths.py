"""Paths of folders and of object stores (S3, GCS). See docs/durability.md.

An object store has no folders and no rename, and needs neither. An object appears whole or not at all, a listing shows
it from then on, and a conditional write tells who was first.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Callable, Iterator
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
    """An object store cannot be reached, or refuses. The objects in it are unchanged."""


@dataclass(frozen=True, slots=True)
class _Store:
    """A store.

    Attributes:
        scheme: scheme of its addresses, as ``s3``.
        files: the fsspec file system that speaks to it.
    """

    scheme: str
    files: Any


class ObjectPath:
    """A name in an object store, with the part of the interface of ``pathlib.Path`` that a sweep needs.

    Every error is an ``OSError`` with the address in it. No listing is kept, since another machine may write.
    """

    __slots__ = ("_confirm", "_key", "_store")

    def __init__(self, store: _Store, key: str, confirm: Callable[[], None] = lambda: None) -> None:
        """Name an object.

        Args:
            store: the store.
            key: bucket and name, as ``bucket/runs/digits``.
            confirm: is called before each change, and raises if this process may not make it (any more).
        """
        self._store, self._key, self._confirm = store, key, confirm

    def confirmed_by(self, confirm: Callable[[], None]) -> ObjectPath:
        """The same name. ``confirm`` is called before each change of it and of all names derived from it."""
        return ObjectPath(self._store, self._key, confirm)

    def __str__(self) -> str:
        """The address, as ``s3://bucket/runs/digits``."""
        return f"{self._store.scheme}://{self._key}"

    def __repr__(self) -> str:
        """The address with the class."""
        return f"ObjectPath({str(self)!r})"

    def __hash__(self) -> int:
        """Hash of the address."""
        return hash(str(self))

    def __eq__(self, other: object) -> bool:
        """Whether the addresses are equal."""
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __lt__(self, other: ObjectPath) -> bool:
        """Order of the addresses."""
        return str(self) < str(other)

    def __truediv__(self, name: str) -> ObjectPath:
        """The path of ``name`` below this one."""
        return ObjectPath(self._store, posixpath.join(self._key, name), self._confirm)

    @property
    def name(self) -> str:
        """The final path component."""
        return PurePosixPath(self._key).name

    @property
    def stem(self) -> str:
        """The final path component without its suffix."""
        return PurePosixPath(self._key).stem

    @property
    def suffix(self) -> str:
        """The suffix of the final path component, as ``.svg``."""
        return PurePosixPath(self._key).suffix

    @property
    def parent(self) -> ObjectPath:
        """The path without its final component."""
        return ObjectPath(self._store, posixpath.dirname(self._key), self._confirm)

    def with_name(self, name: str) -> ObjectPath:
        """The path with another final component."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> ObjectPath:
        """The path with another suffix."""
        return self.with_name(self.stem + suffix)

    def confirm(self) -> None:
        """Raise if this process may not change the object (any more)."""
        self._confirm()

    def read_bytes(self) -> bytes:
        """Read the object."""
        with self._errors():
            return bytes(self._store.files.cat_file(self._key))

    def read_text(self, encoding: str = "utf-8") -> str:
        """Read the object as text."""
        return self.read_bytes().decode(encoding)

    def write(self, content: bytes) -> None:
        """Write the object whole or not at all, over an earlier one."""
        self._confirm()
        with self._errors():
            self._store.files.pipe_file(self._key, content)

    def create(self, content: bytes) -> None:
        """Write the object if it does not exist.

        Raises:
            FileExistsError: it exists.
        """
        self._confirm()
        with self._errors():
            self._store.files.pipe_file(self._key, content, mode="create")

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object.

        Raises:
            FileNotFoundError: there is none, and ``missing_ok`` is False.
        """
        self._confirm()
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
        """Size of the object in bytes."""
        with self._errors():
            return int(self._store.files.info(self._key)["size"])

    def version(self) -> str:
        """A token that changes whenever the object is rewritten."""
        with self._errors():
            return str(self._store.files.ukey(self._key))

    def arrow(self) -> tuple[str, Any]:
        """The name and the file system, as data sets of pyarrow take them."""
        return self._key, self._store.files

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Map the names below this path that begin with ``prefix``, relative to it, to their sizes in bytes."""
        with self._errors():
            found = self._store.files.find(self._key, detail=True, **({"prefix": prefix} if prefix else {}))
        start = f"{self._key}/"
        keys = {key.lstrip("/"): int(info["size"]) for key, info in found.items()}  # fsspec's memory has /bucket
        names = {key.removeprefix(start): size for key, size in sorted(keys.items()) if key.startswith(start)}
        return {name: size for name, size in names.items() if name.startswith(prefix)}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of a store's library into ``OSError`` with the address."""
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
"""A path in a folder or in an object store."""


def any_path(text: str | os.PathLike[str]) -> AnyPath:
    """Parse the path of a folder, which becomes absolute and keeps its links, or an address in an object store.

    Raises:
        InputError: sweeps cannot lie in stores of this scheme, or its package is not installed.
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
    """Open the store of a scheme; its environment configures it (AWS_ENDPOINT_URL, AWS_PROFILE and so on)."""
    try:
        files = import_module("fsspec").filesystem(scheme, skip_instance_cache=True, **_OPTIONS.get(scheme, {}))
    except ImportError:
        package = _PACKAGES[scheme]
        raise InputError(
            f"{scheme}://: the package {package} is not installed here; 'pip install {package}'."
        ) from None
    return _Store(scheme, files)
