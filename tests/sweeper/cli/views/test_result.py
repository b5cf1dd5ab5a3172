"""The answer of ``sweeper run``: each piece of advice once, with every claim that it may settle."""

import io

import pandas as pd
from rich.console import Console

from sweeper.cli.views.result import ResultView, too_large_rates


def test_each_way_out_is_said_once_with_its_claims(sweep, small_grid):
    result, directory = sweep(small_grid())
    console = Console(file=io.StringIO(), width=200)
    view = ResultView(result, directory)
    view.print(console)
    said = console.file.getvalue()
    ways = result.analysis.ways_out
    assert len({str(way) for way in ways.values()}) < len(ways)  # several claims share one
    for way in ways.values():
        (line,) = [line for line in said.splitlines() if str(way) in line]
        assert way.claim in line.split(":")[0]
    assert said.count("sweeper settle ") == 1
    assert set(view.to_json()["ways_out"]) == set(ways)


def test_a_learning_rate_that_is_too_large_is_named_with_its_momentum():
    def peaks(*points):
        return pd.DataFrame(points, columns=["eta", "mu", "lam", "outcome"])

    ended, broken = (0.1, 0.9, 0.1, "completed"), [(eta, 0.9, lam, "diverged") for eta in (1.0, 3.0) for lam in (0, 1)]
    assert too_large_rates(peaks(ended, *broken)) == ["η 1 with μ 0.9 is too large for this model; try a smaller one."]
    assert too_large_rates(peaks((1.0, 0.0, 0.1, "diverged")))[0].startswith("η 1 is too large")
    assert too_large_rates(peaks(ended)) == []
    assert too_large_rates(peaks(*broken, (3.0, 0.9, 0.1, "completed"))) == []  # some λ diverged, not the η


def test_the_answer_of_a_run_that_diverged_says_so(sweep, small_grid):
    result, directory = sweep(
        small_grid("axes={eta: [3.0e6], lam: [0.1]}", "optimizer.mu=0.9", "budget={rule: fixed, constant: 200}")
    )
    console = Console(file=io.StringIO(), width=200)
    ResultView(result, directory).print(console)
    assert "η 3e+06 with μ 0.9 is too large for this model" in console.file.getvalue()
