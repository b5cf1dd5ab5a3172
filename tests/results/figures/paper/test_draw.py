"""``sweeper figure`` as a user meets it: from sweeps on the disk to three files, or one paragraph."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from tests_support import SMALL

from results.figures.paper.draw import paper_figure
from results.store.sweep_dir import SweepDir
from sweeper.cli.app import main
from sweeper.cli.output import show
from sweeper.cli.views.figures import FiguresView

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the small sweep in ``runs/small``."""
    path = tmp_path_factory.mktemp("figures")
    (path / "small.yaml").write_text(SMALL, encoding="utf-8")
    sweeper(path, "run", "small.yaml", "--backend", "inprocess", "--tracking-uri", "none")
    return path


def sweeper(folder, *arguments, expect=0):
    command = [sys.executable, "-m", "sweeper", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False, timeout=100
    )
    assert done.returncode == expect, done.stderr + done.stdout
    return done


def test_a_figure_is_drawn_beside_the_report_and_its_paths_are_printed(folder):
    done = sweeper(folder, "figure", "2", "runs/small", "--eta", "0.3")
    paths = [Path(line) for line in done.stdout.splitlines()]
    beside = folder / "runs/small/analysis/figures/paper"
    assert paths == [beside / f"figure_2.{ending}" for ending in ("svg", "png", "csv")]
    assert all(path.is_file() for path in paths)
    data = pd.read_csv(paths[2])
    assert set(data.loc[data["panel"] == "within", "eta"]) == {0.3}
    peaks = pd.read_parquet(folder / "runs/small/analysis/peaks.parquet")
    best = data[(data["panel"] == "best") & (data["mark"] == "observed")].sort_values(["eta", "lam"])
    wanted = peaks[peaks["lam"] > 0].sort_values(["eta", "lam"])
    assert best["y"].tolist() == pytest.approx(wanted["best_test_acc"].tolist())


@pytest.mark.parametrize("name", ["2", "S8"])
def test_a_grid_without_budgets_shows_its_longest_and_parts_of_it(sweep, small_grid, name, tmp_path):
    _, directory = sweep(small_grid("analysis={}", "measure={log: 10}"))
    _, paths = paper_figure(name, [directory.root], tmp_path / "drawn", {}, None)
    shown = pd.read_csv(next(path for path in paths if path.suffix == ".csv"))
    panel = shown[shown["panel"] == {"2": "within", "S8": "budgets"}[name]]
    assert set(panel["budget_at"]) <= {0.6, 6.0, 60.0}
    assert panel["y"].notna().any()


def test_another_folder_and_the_points_of_one_value(folder, tmp_path):
    done = sweeper(folder, "figure", "S6", "runs/small", "--only", "eta=0.1", "--out", tmp_path / "drawn")
    assert {p.name for p in (tmp_path / "drawn").iterdir()} == {f"figure_S6.{e}" for e in ("svg", "png", "csv")}
    assert set(pd.read_csv(tmp_path / "drawn/figure_S6.csv")["eta"]) == {0.1}
    assert "smallest, middle and largest λ" in done.stderr


def test_the_list_names_every_figure():
    console = Console(width=200, record=True, file=io.StringIO())
    show(FiguresView(), console=console)
    text = console.export_text()
    for name in ("1a", "1b", "1c", "2", "2def", "3", "4", "5ab", "5c", *(f"S{k}" for k in range(1, 11))):
        assert any(line.split()[:1] == [name] for line in text.splitlines()), name
    assert "sweeps of trainable.kernel with homogeneity 1 and 2" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2"], "error: figure 2: give the folder of a sweep, or several."),
        ([], "give a NAME and a SWEEP_DIR"),
        (["S11", "runs/small"], "error: figure S11: no such figure; known: 1a, 1b,"),
        (["s2", "runs/small"], "error: figure S2 of small"),
        (["2", "runs"], "no sweep here; give the folder that 'sweeper run' made"),
        (["S2", "runs/small"], "error: figure S2 of small: it needs momentum (optimizer.mu), but it is 0."),
        (["1c", "runs/small"], "it needs one sweep with AutoL2 (l2.auto) and one of constant λ."),
        (["2", "runs/small", "--only", "width=3"], "--only width=3: the sweep has no such axis; known: eta,"),
        (["2", "runs/small", "--only", "eta=7"], "--only eta=7: no point of small has that value."),
        (["2", "runs/small", "--only", "eta"], "--only eta: write KEY=VALUE, e.g. mu=0.9."),
        (["2", "runs/small", "--eta", "7"], "it needs points of η = 7; there are η = 0.1, 0.3."),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_in_one_paragraph(folder, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["sweeper", "figure", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    assert end.value.code == 2
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_a_figure_of_theory_alone_needs_no_sweep(folder):
    done = sweeper(folder, "figure", "5ab")
    assert [Path(line).name for line in done.stdout.splitlines()] == [f"figure_5ab.{e}" for e in ("svg", "png", "csv")]
    assert all(Path(line).parent == folder for line in done.stdout.splitlines())


def test_two_sweeps_of_one_name_stay_apart(folder, tmp_path):
    root = SweepDir(folder / "runs/small").root
    _, paths = paper_figure("3", [root, root], tmp_path, {}, None)
    assert set(pd.read_csv(paths[2])["sweep"]) == {"small (1)", "small (2)"}
