"""``sweeper list``: the sweeps of a folder in a table."""

import io

import pytest
from rich.console import Console

from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from sweeper.cli.options import sweeps_below
from sweeper.cli.output import show
from sweeper.cli.views.sweeps import SweepsView


def shown(view, width=200):
    console = Console(file=io.StringIO(), width=width)
    show(view, console=console)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_a_folder_of_sweeps_is_a_table(sweep, small_grid, tmp_path, monkeypatch):
    for name in ("second", "first"):
        sweep(small_grid(f"name={name}", "axes={eta: [0.1], lam: [0.1]}"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost/plan.json").write_text("{")
    roots = sweeps_below(str(tmp_path))
    assert [root.name for root in roots] == ["first", "lost", "second"]
    monkeypatch.chdir(tmp_path)
    view = SweepsView.of(map(SweepDir, roots))
    head, first, second, lost = shown(view)
    assert head == ["sweep", "points", "best", "point", "first", "run", "state"]
    best = max(end.best_test_acc for end in read_state(SweepDir(tmp_path / "first")).ends.values())
    assert [*first[:3], first[-1]] == ["first", "1/1", f"{best:.4f}", "complete"]
    assert second[:2] == ["second", "1/1"]
    assert lost[:2] == ["error:", f"{tmp_path}/lost/plan.json:"]
    assert shown(view, 80)[1] == first
    assert view.to_json()["first"]["missing"] == 0
    assert view.to_json()["first"]["best"] == best
    assert "plan.json" in view.to_json()["lost"]["error"]
    assert sweeps_below(str(tmp_path / "first")) == [tmp_path / "first"]


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("empty", r"empty: no sweep here \(no plan.json\): this folder is empty. Give"),
        ("notes", r"notes: no sweep here \(no plan.json\). Give"),
        ("nothing", r"nothing: no sweep here \(no plan.json\). Give"),
    ],
)
def test_a_folder_without_sweeps_is_refused_with_the_reason(tmp_path, folder, why):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes/inner").mkdir(parents=True)
    with pytest.raises(InputError, match=why):
        sweeps_below(str(tmp_path / folder))
