import os
import socket
import subprocess
import sys

import pytest
from faults_support import descendants, listeners
from tests_support import SMALL

pytestmark = pytest.mark.ray


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_listener_is_on_loopback(ray_backend):
    addresses = listeners(descendants(os.getpid()))
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
