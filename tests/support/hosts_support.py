"""Hosts that are no containers: each has a network address, processes, secrets and a folder of Ray of its own.

A host is a network namespace on a switch that leads nowhere else, so what listens there on all addresses can be reached
by the other hosts and by nobody outside. Needs root, and iproute2 and util-linux, as every Debian has them.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("ip", "nsenter", "unshare", "chroot", "setpriv", "mount")

# The root folder of a command: that of this machine, with its own /run, /proc, /tmp/ray and host names. Folders that it
# is given are seen at the paths it knows, none of which is made on this machine.
_ENTER = """#!/bin/sh
# {enter} HOST USER SOURCE:TARGET,… COMMAND…: run a command on a host.
set -eu
host=$1; user=$2; mounts=$3; shift 3
exec nsenter --net=/run/netns/{prefix}-$host \\
  unshare --mount --uts --pid --fork --kill-child sh -euc '
host=$1; user=$2; mounts=$3; shift 3
hostname "$host"
mount -t tmpfs tmpfs {root}
for entry in /*; do
  new={root}$entry
  if [ -L "$entry" ]; then cp -P "$entry" "$new"
  elif [ "$entry" = /proc ]; then mkdir "$new" && mount -t proc proc "$new"
  elif [ "$entry" = /run ]; then mkdir -p "$new/netns" && mount --rbind /run/netns "$new/netns"
  elif [ -d "$entry" ]; then mkdir "$new" && mount --rbind "$entry" "$new"
  fi
done
mount --bind {hosts} {root}/etc/hosts
mkdir -p {root}/tmp/ray
mount -t tmpfs tmpfs {root}/tmp/ray
IFS=,
for pair in $mounts; do
  mkdir -p {root}"${{pair#*:}}"
  mount --bind "${{pair%%:*}}" {root}"${{pair#*:}}"
done
exec chroot {root} setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
' sh "$host" "$user" "$mounts" "$@"
"""


def why_not() -> str:
    """Why this machine cannot have hosts; empty if it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        return f"not installed: {', '.join(missing)}"
    probe = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return probe.stderr.decode().strip()


class Hosts:
    """Hosts on one switch, by name."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """What is logged and needed lies in ``folder``."""
        self.folder = folder
        self.names = tuple(names)
        self.processes: dict[str, subprocess.Popen] = {}
        self._prefix = f"sweeper{os.getpid()}"
        self._enter = folder / "enter"

    def set_up(self) -> None:
        """Namespaces, switch and names."""
        (root := self.folder / "root").mkdir()
        (hosts := self.folder / "hosts").write_text(
            "127.0.0.1 localhost\n" + "".join(f"10.88.0.{n} {name}\n" for n, name in enumerate(self.names, 2))
        )
        values = {"enter": self._enter, "prefix": self._prefix, "root": root, "hosts": hosts}
        self._enter.write_text(_ENTER.format(**values))
        self._enter.chmod(0o755)
        switch = f"{self._prefix}-switch"
        _ip(f"netns add {switch}", f"-n {switch} link add switch type bridge", f"-n {switch} link set switch up")
        for number, name in enumerate(self.names, 2):
            host = f"{self._prefix}-{name}"
            _ip(
                f"netns add {host}",
                f"-n {host} link set lo up",
                f"-n {switch} link add port{number} type veth peer name eth0 netns {host}",
                f"-n {switch} link set port{number} master switch up",
                f"-n {host} addr add 10.88.0.{number}/24 dev eth0",
                f"-n {host} link set eth0 up",
            )

    def take_down(self) -> None:
        """End all that runs there."""
        for process in self.processes.values():
            process.kill()  # and with it, by --kill-child, the first process of its host and so all others
            process.wait()
        for name in (*self.names, "switch"):
            subprocess.run(["ip", "netns", "delete", f"{self._prefix}-{name}"], capture_output=True, check=False)

    def command(self, host: str, command: Sequence[str], mounts: Mapping[str, Path] | None = None, user=0) -> list[str]:
        """The command line that runs ``command`` on ``host``; ``mounts`` are folders by the path where it sees them."""
        seen = ",".join(f"{source}:{target}" for target, source in (mounts or {}).items())
        return [str(self._enter), host, str(user), seen, *command]

    def start(
        self, host: str, command: Sequence[str], environment: Mapping[str, str], mounts=None, user: int = 0
    ) -> subprocess.Popen:
        """Start what a host is there for; its output goes to ``log(host)``."""
        line = self.command(host, command, mounts, user)
        with self.log(host).open("w") as log:
            process = subprocess.Popen(line, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes[host] = process
        wait_until(lambda: process.poll() is not None or self.first(host), 60, self.log(host).read_text)
        return process

    def log(self, host: str) -> Path:
        """What the command of ``host`` has said."""
        return self.folder / f"{host}.log"

    def first(self, host: str) -> int:
        """The process that was started there, by its number on this machine; 0 while the host is made ready for it."""
        outer = self.processes[host].pid
        for inner in Path(f"/proc/{outer}/task/{outer}/children").read_text(encoding="utf-8").split():
            if (
                not Path(f"/proc/{inner}/cmdline")
                .read_bytes()
                .startswith((b"sh\0-euc", b"unshare\0", b"chroot\0", b"setpriv\0"))
            ):
                return int(inner)
        return 0

    def execute(
        self, host: str, command: Sequence[str], environment: Mapping[str, str], **options
    ) -> subprocess.CompletedProcess:
        """Run a command beside the one that was started there, in all its namespaces, as ``docker exec`` does."""
        line = [
            "nsenter",
            "--target",
            str(self.first(host)),
            "--net",
            "--mount",
            "--uts",
            "--pid",
            "--root",
            "env",
            "--chdir=/",
            *command,
        ]
        return subprocess.run(
            line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options
        )


@contextmanager
def hosts(folder: Path, *names: str) -> Iterator[Hosts]:
    """Hosts of these names, ended with the block."""
    made = Hosts(folder, names)
    try:
        made.set_up()
        yield made
    finally:
        made.take_down()


def wait_until(condition, seconds: float, what: str, *processes: subprocess.Popen) -> None:
    """Wait for ``condition()``; fail with ``what()`` when it takes too long or a process that it needs has ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        assert all(process.poll() is None for process in processes), what()
        time.sleep(0.2)


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
