"""The answer of ``sweeper run``: each piece of advice once, with every claim that it may settle."""

import io

from rich.console import Console

from sweeper.cli.views.result import ResultView


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
