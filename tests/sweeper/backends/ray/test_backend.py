import os
import socket
import sys
import threading

import pytest
from faults_support import descendants, listeners
from run_support import show_plan

from search_spaces.errors import InputError

pytestmark = pytest.mark.ray


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_listener_is_on_loopback(ray_backend):
    addresses = listeners(descendants(os.getpid()))
    assert addresses
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    assert set(addresses) <= loopback


def test_an_address_where_nothing_listens_is_refused_at_once(ray_backend):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=rf"--address 127\.0\.0\.1:{port}: no Ray cluster answers there"):
        type(ray_backend)(f"127.0.0.1:{port}")


def test_a_dashboard_is_told_from_a_head_at_once(ray_backend):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                connection.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(InputError, match=f"--address {address}: a web server answers there, a dashboard perhaps"):
            type(ray_backend)(address)
        thread.join()


def test_a_plan_of_which_nothing_is_left_is_done(train, small_grid, ray_backend):
    """As when Ray died just after the last pack had ended, and was started again."""
    grid = small_grid("name=ended")
    directory, plan, _ = train(grid)
    heard = []
    ray_backend.run(directory, plan, grid, heard.append)
    assert heard == []


def test_a_grid_is_planned_for_the_cluster_and_a_pack_tried_out_there(small_grid, ray_backend, quiet):
    show_plan(small_grid("budget={rule: fixed, constant: 4000}"), quiet, ray_backend)
    assert ", seen on the cluster) and some 20 s around it" in quiet.file.getvalue()


def test_data_that_are_neither_here_nor_there_are_planned_as_published(small_grid, ray_backend, quiet, tmp_path):
    show_plan(small_grid(f"trainable.data={{name: mnist, root: {tmp_path}}}", "measure.log=10"), quiet, ray_backend)
    said = quiet.file.getvalue()
    assert "60,000 training and 10,000 test samples" in said
    assert "if each worker reaches 5e+10 FLOP/s" in said
    assert "planned with the sizes as published: trainable.data" in said
    assert "not tried out: trainable.data" in said
