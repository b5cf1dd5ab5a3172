"""Sweeps that version 0.1.0 wrote still open, continue and analyze to the same tables."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from results.store.sweep_dir import SweepDir
from results.store.tables import read_rows
from sweeper.cli.app import app
from sweeper.health.verify import verify

MADE = Path(__file__).parent / "made_before"
# Another processor may round another way, and training carries that along: the last digits of float32 are not compared.
CLOSE = {"rtol": 2e-3, "atol": 1e-5}


@pytest.fixture
def copy(tmp_path):
    def copied(name):
        shutil.copytree(MADE / name, tmp_path / name)
        return tmp_path / name

    return copied


def command(*words):
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)


def same_table(found, expected):
    found, expected = (table.drop(columns="seconds", errors="ignore") for table in (found, expected))
    pd.testing.assert_frame_equal(found, expected, check_categorical=False, check_dtype=False, **CLOSE)


def peaks_of(path):
    """A table of peaks without the columns that later versions have added."""
    return pd.read_parquet(path).drop(columns="last_test_acc", errors="ignore")


def verdicts_of(folder):
    return json.loads((folder / "verdicts.json").read_text())["verdicts"]


def same_estimates(found, expected):
    """The claims and their fitted numbers are the same. Later judges may be stricter with them, and say more."""
    assert [v["claim"] for v in found] == [v["claim"] for v in expected]
    for new, old in zip(found, expected, strict=True):
        if new["claim"] in {"scaling", "scaling_eta", "scaling_lam", "collapse"} and new["verdict"] != "unasked":
            assert new["value"] == (None if old["value"] is None else pytest.approx(old["value"], rel=5e-3))
            assert (new["points_used"], new["censored"]) == (old["points_used"], old["censored"])


def test_a_finished_sweep_is_analyzed_to_the_same_tables(copy):
    sweep = copy("finished")
    before = {name: pd.read_parquet(sweep / "analysis" / f"{name}.parquet") for name in ("peaks", "within_budget")}
    points, verdicts = pd.read_parquet(sweep / "points.parquet"), verdicts_of(sweep / "analysis")
    shutil.rmtree(sweep / "analysis")
    assert command("analyze", sweep).exit_code == 0
    for name, expected in before.items():
        pd.testing.assert_frame_equal(peaks_of(sweep / "analysis" / f"{name}.parquet"), expected)
    pd.testing.assert_frame_equal(pd.read_parquet(sweep / "points.parquet"), points)
    same_estimates(verdicts_of(sweep / "analysis"), verdicts)


def test_a_finished_sweep_has_nothing_left_to_train(copy):
    sweep = copy("finished")
    words = ("--out", sweep.parent, "--backend", "inprocess", "--tracking-uri", "none")
    done = command("run", MADE / "finished.yaml", *words)
    assert done.exit_code == 0
    assert "nothing to train" in done.stderr
    assert not verify(SweepDir(sweep))[0].damage


def test_a_killed_sweep_says_how_far_it_is(copy):
    found = json.loads(command("status", copy("half"), "--json").stdout)
    assert (found["points"], found["missing"], found["under_way"]["packs"]) == (6, 1, 1)
    assert not found["damaged"]


def test_a_killed_sweep_is_continued_to_the_same_tables(copy):
    sweep = copy("half")
    words = ("--out", sweep.parent, "--backend", "inprocess", "--tracking-uri", "none")
    assert command("run", MADE / "half.yaml", *words).exit_code == 0
    rows = read_rows(SweepDir(sweep))
    expected = pd.read_parquet(MADE / "continued" / "rows.parquet")
    text = ["sweep", "point", "pack"]
    same_table(rows.astype(dict.fromkeys(text, str)), expected.astype(dict.fromkeys(text, str)))
    same_table(peaks_of(sweep / "analysis/peaks.parquet"), peaks_of(MADE / "continued/peaks.parquet"))
    same_estimates(verdicts_of(sweep / "analysis"), verdicts_of(MADE / "continued"))
    assert not verify(SweepDir(sweep))[0].damage
