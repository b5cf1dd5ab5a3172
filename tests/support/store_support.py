"""A real server that speaks S3, on loopback."""

import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from results.store import paths

BUCKET = "sweeps"


@contextmanager
def s3_server(log=subprocess.DEVNULL):
    """moto's server as a process of its own, with a bucket; gives the process and the environment of its clients.

    The server writes a line for each request to the file ``log``.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log) as server:
        try:
            _wait_for(url, server)
            with urllib.request.urlopen(urllib.request.Request(f"{url}/{BUCKET}", method="PUT")):
                pass
            yield (
                server,
                {
                    "AWS_ENDPOINT_URL": url,
                    "AWS_ACCESS_KEY_ID": "tester",
                    "AWS_SECRET_ACCESS_KEY": "none",
                    "AWS_DEFAULT_REGION": "us-east-1",
                    "AWS_EC2_METADATA_DISABLED": "true",
                },
            )
        finally:
            server.kill()


def _wait_for(url, server):
    for _ in range(600):
        assert server.poll() is None, "the server of the test has ended"
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nothing answers at {url}")


@contextmanager
def s3_store(log=subprocess.DEVNULL):
    """The same, and this process is one of its clients."""
    with s3_server(log) as (server, environment), pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        paths._store.cache_clear()
        try:
            yield server
        finally:
            paths._store.cache_clear()
