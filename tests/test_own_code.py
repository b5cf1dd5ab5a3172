"""The worked examples of docs/own-model.md, run as a reader would."""

import json
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
    names = ["clouds.yaml", "my_loop.py", "my_networks.py", "my_regression.py", "plane.yaml", "spirals.yaml"]
    assert sorted(p.name for p in folder.iterdir()) == names


def test_a_model_of_ones_own(folder):
    done = sweeper(folder, "run", "spirals.yaml", "--tracking-uri", "none", "--backend", "inprocess")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(folder / "runs/spirals/rows")
    assert rows.point.nunique() == 4
    assert rows[rows.lam < 0.02].groupby("point").test_acc.max().min() > 0.9
    again = sweeper(folder, "run", "spirals.yaml", "--tracking-uri", "none", "--backend", "inprocess")
    assert "nothing to train" in again.stderr


def test_a_task_without_classes_is_judged_by_its_loss(folder):
    options = ("--tracking-uri", "none", "--backend", "inprocess")
    done = sweeper(folder, "run", "plane.yaml", *options)
    assert done.returncode == 0, done.stderr
    assert "best point test loss 0." in done.stderr
    rows = pd.read_parquet(folder / "runs/plane/rows")
    least = rows.groupby("point").test_loss.min()
    assert rows.test_acc.isna().all()
    assert 0.5 < least.min() < 0.95  # 1 without a network, 0.5 with the teacher: half of the noise of variance 1
    peaks = pd.read_parquet(folder / "runs/plane/analysis/peaks.parquet").set_index("point")
    assert peaks.best_test_loss[least.index].tolist() == least.tolist()
    found = json.loads((folder / "runs/plane/analysis/verdicts.json").read_text())
    assert {v["claim"]: v["verdict"] for v in found["verdicts"]}["plateau"] == "unasked"
    assert found["best"]["accuracy"]["value"] == pytest.approx(least.min())
    assert "minimum test loss" in (folder / "runs/plane/report.html").read_text()
    status = sweeper(folder, "status", "runs/plane")
    assert "test loss 0." in status.stdout
    refused = sweeper(folder, "run", "plane.yaml", "--name", "refused", "--set", "metric.name=test_acc", *options)
    assert refused.returncode == 2
    assert "the targets of this task are numbers" in " ".join(refused.stderr.split())


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
