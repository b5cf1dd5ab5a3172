"""``stop: peaked`` from a grid to the report."""

from run_support import show_plan

from search_spaces.outcome import Outcome

PEAKED = ("stop=peaked", "budget={rule: predicted, max: 4000}", "axes={eta: [0.3], lam: [0, 0.1, 0.2]}")


def test_points_train_until_they_have_peaked_and_the_report_says_what_that_saved(sweep, small_grid):
    account, directory = sweep(small_grid(*PEAKED, "budget.zero_lam=60"))
    outcomes = {end.outcome: end for end in account.ends.values()}
    assert account.outcomes == {Outcome.STOPPED: 2, Outcome.COMPLETED: 1}
    assert outcomes[Outcome.STOPPED].why == "its test accuracy has peaked"
    assert "2 points that had peaked, after " in directory.report.read_text()
    peaks = account.analysis.findings.peaks.set_index("lam")
    assert (peaks.loc[[0.1, 0.2], "last_decay_time"] >= 1).all()
    assert (peaks.loc[[0.1, 0.2], "last_epoch"] < 4000).all()


def test_a_plan_says_what_a_stop_is_expected_to_save(small_grid, capsys):
    from rich.console import Console

    show_plan(small_grid(*PEAKED), Console(width=160))
    out = capsys.readouterr().out
    assert "peaked: " in out
    assert "of the steps of the budgets saved if κ is 0.5" in out
