"""``sweeper predict``: the arithmetic against the law itself, a real probe, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from sweeper.cli.app import app
from sweeper.predict.predict import guess
from sweeper.predict.target import TYPICAL_DECAY_TIME
from sweeper.tracking.summary import artifacts

GRID = """
name: own
trainable:
  model: {name: fc, width: 32, depth: 2}
  data: {name: digits, train: 256}
  batch: 64
optimizer: {name: sgd, mu: 0.0}
axes: {eta: [0.2], lam: [0.01]}
budget: {rule: fixed, constant: 10}
"""


def grid_of(*settings):
    return load_grid(GRID, "own.yaml", settings)


def test_a_guess_has_the_typical_decay_time():
    """s = η λ n/(1-μ) after n = 4 · 100 steps; λ‖θ‖² has twice the weight decay; of a schedule its mean counts."""
    (plain,) = guess(grid_of(), [100]).budgets
    assert plain.lam * 0.2 * 400 == pytest.approx(TYPICAL_DECAY_TIME["sgd"])
    assert plain.low < plain.lam < plain.high
    (heavy,) = guess(grid_of("optimizer.mu=0.9"), [100]).budgets
    assert heavy.lam == pytest.approx(plain.lam / 10)
    (square,) = guess(grid_of("l2={convention: square}"), [100]).budgets
    assert (square.lam, square.weight_decay) == (pytest.approx(plain.lam / 2), pytest.approx(plain.lam))
    (cosine,) = guess(grid_of("schedule={name: cosine}"), [100]).budgets
    assert cosine.lam == pytest.approx(2 * plain.lam, rel=0.01)
    (longer,) = guess(grid_of(), [1000]).budgets
    assert longer.lam == pytest.approx(plain.lam / 10)
    assert plain.timescale == pytest.approx(1 / (0.2 * plain.lam * 4))


def test_adamw_is_told_apart():
    found = guess(grid_of("optimizer={name: adamw}"), [100])
    (predicted,) = found.budgets
    assert predicted.lam * 0.2 * 400 == pytest.approx(TYPICAL_DECAY_TIME["adamw"])
    assert any("the law is of SGD" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["metric={name: test_loss}"], "metric: predict judges its trials by test_acc and not by test_loss"),
        (["axes.eta=[0.1, 0.2]"], r"axes\.eta: predict is about one set-up, but this axis has 2 values"),
        (["axes.schedule.warmup=[0.1]"], r"axes\.schedule\.warmup: write the schedule in its section"),
        (["l2={auto: {every: 5}}", "axes.lam=[0.1]"], r"l2\.auto: AutoL2 chooses λ along the run"),
    ],
)
def test_what_cannot_be_predicted_is_refused(settings, said):
    with pytest.raises(InputError, match=said):
        guess(grid_of(*settings), [100])


def run(tmp_path, *arguments):
    (tmp_path / "own.yaml").write_text(GRID)
    command = ["predict", str(tmp_path / "own.yaml"), "--out", str(tmp_path / "runs"), "--backend", "inprocess"]
    command += ["--set", "trainable.batch=full", "--set", "trainable.loss={name: softmax, scale: paper}"]
    command += ["--set", "axes.eta=[1]", "--tracking-uri", "none", *arguments]
    return CliRunner().invoke(app, command, env={"COLUMNS": "160"})


def test_a_probe_predicts_is_verified_and_is_not_trained_twice(tmp_path):
    done = run(tmp_path, "--budget", "500", "--runs", "1.4", "--verify", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    (predicted,) = said["budgets"]
    assert predicted["low"] < predicted["lam"] < predicted["high"]
    assert said["cost"] == pytest.approx(0.4)
    assert len(said["trials"]) == 4
    (check,) = said["checks"]
    assert check["lams"][0] == 0
    assert check["lams"][2] == pytest.approx(predicted["lam"], rel=0.01)
    assert len(check["accuracies"]) == 4
    folder = tmp_path / "runs/own-probe-500-1.4"
    assert json.loads((folder / "analysis/forecast.json").read_text())["budgets"] == said["budgets"]
    page = (folder / "prediction.html").read_text()
    assert "not held" in page or "held" in page
    assert 'href="report.html"' in page
    assert {"report.html", "prediction.html", "forecast.json"} <= {path.name for path in artifacts(SweepDir(folder))}
    again = run(tmp_path, "--budget", "500", "--runs", "1.4")
    assert "λ_pred" in again.stdout
    assert "points in" not in again.stderr


def test_a_probe_that_sees_nothing_says_so_and_guesses(tmp_path):
    done = run(tmp_path, "--budget", "2", "--runs", "1.01", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["trials"] == []
    assert said["budgets"][0]["lam"] == pytest.approx(TYPICAL_DECAY_TIME["sgd"] / 2)
    assert "no λ of the probe has learned" in said["warnings"][0]
    assert run(tmp_path, "--budget", "-3").exception is not None
