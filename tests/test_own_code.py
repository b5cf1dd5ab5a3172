"""The worked examples of docs/own-model.md, run as a reader would."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

PAGE = Path(__file__).parent.parent / "docs" / "own-model.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's files, under the names that its text gives them."""
    folder = tmp_path_factory.mktemp("own")
    for name, content in re.findall(r"this as `([\w.]+)`[^`]*:\n\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (folder / name).write_text(content)
    return folder


def sweeper(folder, *arguments):
    command = [sys.executable, "-m", "sweeper", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def test_the_page_has_its_files(folder):
    assert sorted(p.name for p in folder.iterdir()) == ["clouds.yaml", "my_loop.py", "my_networks.py", "spirals.yaml"]


def test_a_model_of_ones_own(folder):
    done = sweeper(folder, "run", "spirals.yaml", "--tracking-uri", "none", "--backend", "inprocess")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(folder / "runs/spirals/rows")
    assert rows.point.nunique() == 4
    assert rows[rows.lam < 0.02].groupby("point").test_acc.max().min() > 0.9
    again = sweeper(folder, "run", "spirals.yaml", "--tracking-uri", "none", "--backend", "inprocess")
    assert "nothing to train" in again.stderr


@pytest.mark.slow  # test_faults.py runs loops of one's own on Ray too
@pytest.mark.ray
def test_a_loop_of_ones_own_on_ray(folder):
    done = sweeper(folder, "run", "clouds.yaml", "--tracking-uri", "none")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(folder / "runs/clouds/rows")
    assert sorted(rows.groupby("point").step.max()) == [int(2 / (0.1 * lam)) for lam in (0.3, 0.1, 0.03)]
    assert (rows.decay_time - rows.step * rows.eta * rows.lam).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "trainable.function=my_networks:circles",
            "trainable.function: the module my_networks has no function circles",
        ),
        ("trainable.function=networks:spirals", "trainable.function: networks:spirals cannot be imported"),
        (
            "trainable.arguments.colour=red",
            "spirals cannot be called as spirals(width=…, samples=…, colour=…)",
        ),
        (
            "trainable.function=json:dumps",
            "dumps cannot be called as dumps(width=…, samples=…)",
        ),
    ],
)
def test_a_function_that_cannot_be_used_is_refused_before_anything_starts(folder, setting, message):
    done = sweeper(folder, "run", "spirals.yaml", "--name", "refused", "--set", setting, "--backend", "inprocess")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (folder / "runs" / "refused").exists()
