import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from faults_support import descendants
from tests_support import SMALL

pytestmark = pytest.mark.ray


def _listeners(pids):
    """(address, port) of every TCP listener of these processes, from /proc."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1].split(":")[0])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_listener_is_on_loopback(ray_backend):
    addresses = _listeners(descendants(os.getpid()))
    assert addresses
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert set(addresses) <= loopback


@pytest.mark.slow
def test_nothing_is_printed_but_the_progress(tmp_path):
    grid = tmp_path / "g.yaml"
    grid.write_text(SMALL)
    command = [sys.executable, "-m", "sweeper", "run", grid, "--out", tmp_path / "runs", "--tracking-uri", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("small: 6 points in ")
    assert lines[-1].startswith("6/6 points")
    assert not [line for line in lines if "ray" in line.lower() or "warning" in line.lower()]
    assert "scaling" in done.stdout


def test_an_address_where_nothing_listens_is_refused_at_once(ray_backend):
    from search_spaces.errors import InputError

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=rf"--address 127\.0\.0\.1:{port}: no Ray cluster answers there"):
        type(ray_backend)(f"127.0.0.1:{port}")


def test_a_plan_of_which_nothing_is_left_is_done(train, small_grid, ray_backend):
    """As when Ray died just after the last pack had ended, and was started again."""
    grid = small_grid("name=ended")
    directory, plan, _ = train(grid)
    heard = []
    ray_backend.run(directory, plan, grid, heard.append)
    assert heard == []
