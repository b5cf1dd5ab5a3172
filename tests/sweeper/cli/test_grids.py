"""The commands about grid files, and the completion of what is typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.reading.load import load_grid
from search_spaces.reference.json_schema import grid_schema
from sweeper.cli.app import main
from sweeper.cli.options import complete_grid
from sweeper.shipped_grids import shipped_file

ROOT = Path(__file__).parents[3]


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder; gives its status and both outputs."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["sweeper", *words])
        try:
            main()
            status = 0
        except SystemExit as left:
            status = left.code or 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_the_grids_that_ship_are_listed_with_their_cost(command):
    status, out, _ = command("grids")
    assert status == 0
    assert "digits" in out
    assert "a minute on 2" in out
    listed = json.loads(command("grids", "--json")[1])
    assert Path(listed["small/fig4"]["file"]) == shipped_file("small/fig4")


def test_a_grid_of_ones_own_is_written_with_its_schema(command, tmp_path):
    status, out, error = command("new", "my.yaml", "--from", "small/fig4")
    assert (status, out) == (0, "my.yaml\n")
    assert "sweeper plan my.yaml" in error
    text = (tmp_path / "my.yaml").read_text()
    assert load_grid(text, "my.yaml").name == "my"
    assert json.loads((tmp_path / "grid.schema.json").read_text()) == grid_schema()
    status, _, error = command("new", "my.yaml")
    assert (status, error) == (2, "error: my.yaml: this file exists; give another name.\n")
    assert (tmp_path / "my.yaml").read_text() == text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["my.txt"], "my.txt: the name of a grid file ends in .yaml"),
        (["not here/my.yaml"], "there is no folder"),
        (["a b.yaml"], "name: the text 'a b' is not allowed"),
        (["my.yaml", "--from", "digit"], "digit: no such file; did you mean 'digits'? Give"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is(command, tmp_path, words, why):
    status, out, error = command("new", *words)
    assert (status, out) == (2, "")
    assert why in error
    assert list(tmp_path.iterdir()) == []


def test_a_file_goes_before_a_grid_that_ships_and_a_folder_does_not(command, tmp_path):
    (tmp_path / "digits").mkdir()
    assert "fc on digits" in command("plan", "digits", "--set", "budget.max=1", "--set", "axes.seed=[0]")[1]
    (tmp_path / "wrn").write_text("name: [")
    status, _, error = command("plan", "wrn")
    assert status == 2
    assert error.startswith("error: wrn: not valid YAML")


def test_names_of_grids_and_files_are_completed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits-mine.yaml").touch()
    (tmp_path / "digits.txt").touch()
    (tmp_path / "runs/one").mkdir(parents=True)
    assert complete_grid("di") == ["digits", "digits-mine.yaml"]
    assert complete_grid("small/fig4") == ["small/fig4", "small/fig4a-probe"]
    assert complete_grid("runs/") == ["runs/one/"]
    words = {"COMP_WORDS": "sweeper run dig", "COMP_CWORD": "2", "_SWEEPER_COMPLETE": "complete_bash"}
    code = "import sys; sys.argv = ['sweeper']; from sweeper.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | words | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["digits", "digits-mine.yaml"], done.stderr
