"""The compose file, and what its services are run with outside containers."""

import os
import sys
from pathlib import Path

import pytest
import yaml
from docker_support import DOCKER, ROOT, substituted


@pytest.fixture(scope="session")
def compose():
    """compose.yaml, for two workers of one CPU each."""
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(substituted(text, WORKERS="2", WORKER_CPUS="1"))


@pytest.fixture(scope="session")
def ray_jobs():
    """Skip where Ray has no dashboard: head and workers are asked there whether they are well."""
    pytest.importorskip("aiohttp_cors", reason="the extra 'cluster' (ray[default]) is not installed")
    pytest.importorskip("opencensus", reason="the extra 'cluster' (ray[default]) is not installed")


@pytest.fixture(scope="session")
def environment():
    """Programs of this interpreter and this checkout, and nothing that Ray, MLflow or AWS clients would read."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
