"""One run at a time in an object store, which has no locks: a lease. See docs/durability.md.

Who runs a sweep has a number that no other has, ``lock/NNNNNN``, and writes that object anew every few seconds. The
highest number counts. It may be taken over from when it says that its run is over, or has not been written anew for
long enough; a run that was overtaken, since it was frozen say, sees the higher number and ends.
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
from results.store.paths import AnyPath
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.lock.holder import Holder, current_holder, in_use_error

RENEWAL_SECONDS = 5.0
LEASE_SECONDS = 30.0  # without a sign of life, after which a run is believed dead: six renewals


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeaseHolder(Holder):
    """What the object of a lease says; ``beat`` counts up while the run lives.

    ``where`` tells apart what counts processes alike: machines, and containers on them, may share a host name.
    """

    where: str
    beat: int = 0
    over: bool = False

    @property
    def is_dead(self) -> bool:
        """Whether it was a process of this machine that is no more."""
        return bool(self.where) and self.where == _process_namespace() and not Path(f"/proc/{self.pid}").exists()


_HOLDER = TypeAdapter(_LeaseHolder)


@contextmanager
def hold_lease(directory: SweepDir, console: Console | None) -> Iterator[None]:
    """Hold a sweep of an object store while the block runs; the process ends if another takes it over meanwhile.

    Raises:
        InputError: another process holds it, or the store cannot say who was first.
    """
    number = _acquire(directory, console)
    this_holder = _LeaseHolder(**asdict(current_holder()), where=_process_namespace())
    _write_holder(directory, number, this_holder)
    done = threading.Event()
    renewal = threading.Thread(target=_renew, args=(directory, number, this_holder, done), name="lease", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        done.set()
        renewal.join()
        _write_holder(directory, number, replace(this_holder, over=True))


def _process_namespace() -> str:
    """The start of this machine and its namespace of process ids; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path, but pid:[4026531836]
    except OSError:
        return ""


def lease_holder(directory: SweepDir) -> str | None:
    """Who runs the sweep, in words; None if nobody does, or whoever did was on this machine and is dead."""
    number = _latest_number(directory)
    holder = _read_holder(directory, number) if number else None
    return None if holder is None or holder.over or holder.is_dead else str(holder)


def _acquire(directory: SweepDir, console: Console | None) -> int:
    """A number above all others, as soon as nobody holds the sweep."""
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
        InputError: it lives.
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
    """Ask the store for what everything here rests on: that it does not create what is there.

    Raises:
        InputError: it does.
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
    while not done.wait(RENEWAL_SECONDS):
        with suppress(OSError):  # a store that is away: nobody else gets at it either, or the higher number will tell
            if _latest_number(directory) > number:
                sys.stderr.write(f"error: {directory.root}: another run has taken this sweep over; this one ends.\n")
                sys.stderr.flush()
                os._exit(2)
            this_holder = replace(this_holder, beat=this_holder.beat + 1)
            _write_holder(directory, number, this_holder)


def _latest_number(directory: SweepDir) -> int:
    """The highest number; 0 if there is none."""
    return max((int(name) for name in names_in(directory.lock) if name.isdecimal()), default=0)


def _lease_path(directory: SweepDir, number: int) -> AnyPath:
    return directory.lock / f"{number:06d}"


def _write_holder(directory: SweepDir, number: int, this_holder: _LeaseHolder) -> None:
    write_bytes(_lease_path(directory, number), json.dumps(asdict(this_holder)).encode())


def _read_holder(directory: SweepDir, number: int) -> _LeaseHolder | None:
    """What a holder says; None if it has not said anything yet."""
    try:
        return _HOLDER.validate_json(_lease_path(directory, number).read_bytes())
    except (ValueError, FileNotFoundError):
        return None
