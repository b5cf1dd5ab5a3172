"""What ``sweeper plan`` prints."""

import pytest
from run_support import show_plan

MICRO_BATCHES = ("trainable.batch=32", "trainable.micro_batch=8")
PROCESSES = "resources={processes_per_pack: 2, cpus_per_pack: 1}"
PEAKED = ("stop=peaked", "budget={rule: predicted, max: 4000}", "axes={eta: [0.3], lam: [0, 0.1, 0.2]}")


def test_a_plan_says_what_a_stop_is_expected_to_save(small_grid, capsys):
    from rich.console import Console

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
    from rich.console import Console

    show_plan(small_grid(*changes), Console(width=200))
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert packs in lines["packs"]
    assert epochs in lines["budgets"]
