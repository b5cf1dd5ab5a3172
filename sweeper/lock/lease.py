"""Lease of a sweep in an object store, which has no locks: one run at a time. See docs/durability.md.

The process that runs a sweep has a number that no other process has, ``lock/NNNNNN``, and rewrites that object every
few seconds. The highest number counts. Another process may take the sweep over when the object says that its run is
over, or when it has not been rewritten for long enough. A run that was overtaken, for example because it was frozen,
sees the higher number and ends. It asks for that number before each change of its own, since no clock tells a process
how long it slept: those of a virtual machine stand still while the machine is suspended.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter
from rich.console import Console

from results.store.files import create, names_in, write_bytes
from results.store.paths import AnyPath, ObjectPath
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.lock.holder import Holder, current_holder, in_use_error

RENEWAL_SECONDS = 5.0
LEASE_SECONDS = 30.0  # a run without a sign of life for so long, six renewals, is believed dead


class LeaseLostError(InputError):
    """Another run has taken the sweep over from this one, which must not change it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeaseHolder(Holder):
    """Content of the object of a lease.

    Attributes:
        where: identity of the process namespace. Machines, and containers on them, may share a host name.
        beat: number of renewals, which counts up while the run lives.
        over: whether the run is over.
    """

    where: str
    beat: int = 0
    over: bool = False

    @property
    def is_dead(self) -> bool:
        """Whether the holder was a process of this machine that does not exist any more."""
        return bool(self.where) and self.where == _process_namespace() and not Path(f"/proc/{self.pid}").exists()


_HOLDER = TypeAdapter(_LeaseHolder)


@contextmanager
def hold_lease(directory: SweepDir, root: ObjectPath, console: Console | None) -> Iterator[SweepDir]:
    """Hold a sweep of an object store while the block runs; end this process if another takes the sweep over.

    Args:
        directory: the sweep.
        root: its root.
        console: shows what the process waits for; None for silence.

    Yields:
        The sweep. Each change through it raises ``LeaseLostError`` once another run has taken the sweep over.

    Raises:
        InputError: another process holds the sweep, or the store cannot tell which process was first.
    """
    number = _acquire(directory, console)
    this_holder = _LeaseHolder(**asdict(current_holder()), where=_process_namespace())
    _write_holder(directory, number, this_holder)
    done = threading.Event()
    renewal = threading.Thread(target=_renew, args=(directory, number, this_holder, done), name="lease", daemon=True)
    renewal.start()
    try:
        yield SweepDir(root.confirmed_by(lambda: _refuse_if_lost(directory, number)))
    except (OSError, InputError):
        _refuse_if_lost(directory, number)  # a file that is gone was deleted by the run that took over
        raise
    finally:
        done.set()
        renewal.join()
        if _latest_number(directory) == number:
            _write_holder(directory, number, replace(this_holder, over=True))


def _process_namespace() -> str:
    """Return this machine's boot id and namespace of process ids; empty if the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - not a path, but pid:[4026531836]
    except OSError:
        return ""


def lease_holder(directory: SweepDir) -> str | None:
    """Return the process that runs the sweep, in words.

    Returns:
        None if there is none, or if it was a process of this machine that is dead.
    """
    number = _latest_number(directory)
    holder = _read_holder(directory, number) if number else None
    return None if holder is None or holder.over or holder.is_dead else str(holder)


def _acquire(directory: SweepDir, console: Console | None) -> int:
    """Take a number above all others as soon as no process holds the sweep, and return it."""
    latest = _latest_number(directory)
    if latest:
        _wait_until_dead(directory, latest, console)
    number = latest + 1
    try:
        create(_lease_path(directory, number))
    except FileExistsError:
        raise in_use_error(directory.root, None) from None
    _refuse_weak_store(directory, number)
    for name in names_in(directory.lock):
        if name.isdecimal() and int(name) < number:
            (directory.lock / name).unlink(missing_ok=True)
    return number


def _wait_until_dead(directory: SweepDir, number: int, console: Console | None) -> None:
    """Wait until the holder is believed dead.

    Raises:
        InputError: the holder lives.
    """
    first = holder = _read_holder(directory, number)
    if holder is not None and (holder.over or holder.is_dead):
        return
    if console is not None:
        who = str(holder or "another process")
        console.print(f"waiting {LEASE_SECONDS:g} s for a sign of life of {who}", highlight=False, soft_wrap=True)
    until = time.monotonic() + LEASE_SECONDS
    while time.monotonic() < until:
        time.sleep(min(1.0, RENEWAL_SECONDS))
        holder = _read_holder(directory, number)
        if holder is not None and holder.over:
            return
        if holder != first:
            raise in_use_error(directory.root, holder)


def _refuse_weak_store(directory: SweepDir, number: int) -> None:
    """Refuse a store that overwrites an object when it is asked to create it only if absent.

    All locking here depends on this condition.

    Raises:
        InputError: the store overwrote an object.
    """
    try:
        create(_lease_path(directory, number))
    except FileExistsError:
        return
    raise InputError(
        f"{directory.root}: this store writes over an object that it was asked to create only if absent (If-None-Match "
        "of S3, ifGenerationMatch of GCS), so that two workers could take one pack. Use a newer release of it, another "
        "store, or a folder."
    )


def _renew(directory: SweepDir, number: int, this_holder: _LeaseHolder, done: threading.Event) -> None:
    """Renew the lease until ``done`` is set; end this process with status 2 if another run has a higher number."""
    while not done.wait(RENEWAL_SECONDS):
        with suppress(OSError):  # the store is away: others cannot reach it either, or their higher number will show
            try:
                _refuse_if_lost(directory, number)
            except LeaseLostError as error:
                sys.stderr.write(f"error: {error}\n")
                sys.stderr.flush()
                os._exit(2)
            this_holder = replace(this_holder, beat=this_holder.beat + 1)
            _write_holder(directory, number, this_holder)


def _refuse_if_lost(directory: SweepDir, number: int) -> None:
    """Refuse to go on if another run has a higher number.

    Whoever deletes lists first what goes, and asks then. So the list holds nothing that a later run has made.

    Raises:
        LeaseLostError: another run has one.
    """
    if _latest_number(directory) > number:
        raise LeaseLostError(f"{directory.root}: another run has taken this sweep over; this one ends.")


def _latest_number(directory: SweepDir) -> int:
    """Return the highest number; 0 if there is none."""
    return max((int(name) for name in names_in(directory.lock) if name.isdecimal()), default=0)


def _lease_path(directory: SweepDir, number: int) -> AnyPath:
    return directory.lock / f"{number:06d}"


def _write_holder(directory: SweepDir, number: int, this_holder: _LeaseHolder) -> None:
    write_bytes(_lease_path(directory, number), json.dumps(asdict(this_holder)).encode())


def _read_holder(directory: SweepDir, number: int) -> _LeaseHolder | None:
    """Return what a holder has written; None if it has not written anything yet."""
    try:
        return _HOLDER.validate_json(_lease_path(directory, number).read_bytes())
    except (ValueError, FileNotFoundError):
        return None
