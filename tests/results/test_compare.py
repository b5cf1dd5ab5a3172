"""``sweeper compare`` on sweeps that were really run, and its refusals."""

import json
import shutil
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console
from tests_support import SMALL

from results.compare import compare_sweeps
from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.output import show
from sweeper.cli.views.comparison import ComparisonView
from sweeper.driver.run import run_sweep

SEEDED = SMALL.replace("eta: [0.1, 0.3], lam: [0, 0.01, 0.1]", "eta: [0.3], lam: [0.01], seed: [0, 1, 2]")


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    for name, text in {"one": SEEDED, "other": SEEDED.replace("lam: [0.01]", "lam: [0.01, 1]")}.items():
        grid = load_grid(text.replace("name: small", f"name: {name}", 1), "grid.yaml")
        run_sweep(grid, out, InProcessBackend, None, Console(quiet=True))
    return out


def test_files_and_verdicts(sweeps, tmp_path):
    comparison = compare_sweeps(sweeps / "one", sweeps / "other", None, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {f"comparison.{end}" for end in ("svg", "png", "csv", "json")}
    assert set(pd.read_csv(tmp_path / "comparison.csv").sweep) == {"one", "other"}
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["sweeps"] == ["one", "other"]
    assert [c["claim"] for c in content["contests"]] == [c.claim for c in comparison.contests]
    by_claim = {c.claim: c for c in comparison.contests}
    assert by_claim["best_accuracy"].value == 0  # the further λ is worse, the others are the same points


def test_what_is_printed(sweeps, tmp_path):
    console = Console(file=StringIO(), width=150)
    comparison = compare_sweeps(sweeps / "one", sweeps / "other", 0.3, tmp_path)
    show(ComparisonView(comparison), console=console, as_json=False)
    text = console.file.getvalue()
    assert "best_accuracy" in text
    assert "test accuracy 0.3000 is reached" in text
    as_json = Console(file=StringIO(), width=150)
    show(ComparisonView(comparison), console=as_json, as_json=True)
    assert json.loads(as_json.file.getvalue())["sweeps"] == ["one", "other"]


def test_another_model_is_told(sweeps, tmp_path):
    assert compare_sweeps(sweeps / "one", sweeps / "other", None, tmp_path).differences == ()
    grid = load_grid(SEEDED, "grid.yaml", ["name=wide", "trainable.model.width=17"])
    run_sweep(grid, tmp_path, InProcessBackend, None, Console(quiet=True))
    comparison = compare_sweeps(sweeps / "one", tmp_path / "wide", None, tmp_path / "compared")
    assert comparison.differences == ("trainable.model.width: 16 → 17",)
    console = Console(file=StringIO(), width=150)
    show(ComparisonView(comparison), console=console)
    assert "careful: not the same is trained, from the first to the second: trainable.model.width: 16 → 17" in (
        console.file.getvalue()
    )


def test_default_folder_and_names_that_tell_apart(sweeps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    comparison = compare_sweeps(sweeps / "one", sweeps / "other", None, None)
    assert comparison.folder == tmp_path / "comparison-one-other"
    assert (comparison.folder / "comparison.svg").is_file()
    shutil.copytree(sweeps / "other", tmp_path / "second/one")
    again = compare_sweeps(sweeps / "one", tmp_path / "second/one", None, None)
    assert again.names == (f"{sweeps.name}/one", "second/one")
    assert again.folder == tmp_path / f"comparison-{sweeps.name}-one-second-one"


def test_bad_input_is_refused(sweeps, tmp_path):
    with pytest.raises(InputError, match="the same sweep twice"):
        compare_sweeps(sweeps / "one", sweeps / "one", None, tmp_path)
    with pytest.raises(InputError, match="no sweep here"):
        compare_sweeps(sweeps / "one", tmp_path / "nowhere", None, tmp_path)
    empty = tmp_path / "empty"
    (empty / "rows").mkdir(parents=True)
    for name in ("grid.yaml", "plan.json"):
        (empty / name).write_bytes((sweeps / "one" / name).read_bytes())
    with pytest.raises(InputError, match="sweeper analyze"):
        compare_sweeps(sweeps / "one", empty, None, tmp_path)
    pd.read_parquet(sweeps / "one/points.parquet").iloc[:0].to_parquet(empty / "points.parquet")
    with pytest.raises(InputError, match="nothing to compare"):
        compare_sweeps(sweeps / "one", empty, None, tmp_path)
