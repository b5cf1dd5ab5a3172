"""The versions of Ray that sweeper takes, and a Ray that lacks what it changes."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests_support import SMALL

from sweeper.backends.ray.environment import RAY_VERSIONS

ROOT = Path(__file__).parents[4]
RUN = "import sys; sys.argv = ['sweeper', 'run', 'small.yaml']\nfrom sweeper.cli.app import main\nmain()\n"


def test_the_versions_of_ray_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"ray[tune]{RAY_VERSIONS}" in project["dependencies"]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("from ray.tune.execution import class_cache as c; del c.ENV_VARS_TO_PROPAGATE", "ENV_VARS_TO_PROPAGATE"),
        ("from ray.tune import progress_reporter as p; del p.TrialProgressCallback", "TrialProgressCallback"),
    ],
    ids=["changed", "used"],
)
def test_a_ray_without_a_private_name_that_is_changed_is_refused_with_the_versions_that_have_it(tmp_path, change, name):
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", f"{change}\n{RUN}"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    said = done.stderr[done.stderr.index("error: ") :]
    assert said.startswith("error: Ray 2.")
    assert name in said
    assert f"install 'ray[tune]{RAY_VERSIONS}'; 'sweeper run --backend inprocess' does without." in said
