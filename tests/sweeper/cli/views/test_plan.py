"""What ``sweeper plan`` prints."""

import io
import re

import pytest
from rich.console import Console
from run_support import show_plan

from results.store.sweep_dir import SweepDir
from sweeper.cli.output import show
from sweeper.cli.views.plan import PlanView
from sweeper.driver.estimate import estimate_run

MICRO_BATCHES = ("trainable.batch=32", "trainable.micro_batch=8")
PROCESSES = "resources={processes_per_pack: 2, cpus_per_pack: 1}"
PEAKED = ("stop=peaked", "budget={rule: predicted, max: 4000}", "axes={eta: [0.3], lam: [0, 0.1, 0.2]}")


def test_a_plan_says_what_a_stop_is_expected_to_save(small_grid, capsys):
    show_plan(small_grid(*PEAKED), Console(width=160))
    out = capsys.readouterr().out
    assert "peaked: " in out
    assert "of the steps of the budgets saved if κ is 0.5" in out


def test_a_plan_says_how_a_step_is_shared(small_grid, quiet):
    for setting, said in ((PROCESSES, "shared by 2 processes"), ("resources.pack=1", "one after the other")):
        show_plan(small_grid(*MICRO_BATCHES, setting), quiet)
        assert f", each of 4 micro-batches of 8 samples, {said}" in quiet.file.getvalue()


@pytest.mark.parametrize(
    ("changes", "packs", "epochs"),
    [
        (("axes={eta: [0.1], lam: [0.1]}", "budget={rule: fixed, constant: 1}"), "1 of 1 point ", "1 epoch "),
        (("resources.pack=1", "axes={eta: [0.1, 0.2], lam: [0.1]}"), "2 of 1 point ", " epochs "),
        (("axes={eta: [0.1], lam: [0.1, 0.1001]}", "resources.pack=2"), "1 of 2 points ", " epochs "),
    ],
)
def test_counts_of_one_are_singular(small_grid, capsys, changes, packs, epochs):
    show_plan(small_grid(*changes), Console(width=200))
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert packs in lines["packs"]
    assert epochs in lines["budgets"]


def planned(grid, directory):
    """The line about the sweep in a plan, its blanks joined; empty without one."""
    console = Console(file=io.StringIO(), width=200)
    show(PlanView(estimate_run(grid, directory)), console=console)
    text = console.file.getvalue()
    return " ".join(text[text.index("\nsweep ") :].split("\npack ")[0].split()) if "\nsweep " in text else ""


def test_a_plan_of_a_sweep_that_exists_says_what_is_left(sweep, small_grid, tmp_path):
    assert planned(small_grid(), SweepDir(tmp_path / "small")) == ""
    assert not (tmp_path / "small").exists()
    _, directory = sweep(small_grid())
    assert planned(small_grid(), directory) == "sweep 6 done, nothing to train"
    grown = planned(small_grid("axes.seed=[0, 1]"), directory)
    assert re.fullmatch(r"sweep 6 done, 6 to train, \d+:\d\d", grown)
    assert "this one would alter its points: trainable.model.width: 16 → 17" in planned(
        small_grid("trainable.model.width=17"), directory
    )
