"""The examples, run as a reader would: the script from another folder, the notebook on a real kernel."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


@pytest.mark.slow
def test_the_script_prints_its_table(tmp_path):
    command = [sys.executable, str(EXAMPLES / "plain_pytorch.py"), "--seeds", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    table = dict(re.findall(r"^(none|5e-4|predicted|AutoL2).* ([\d.]+)% ± ", done.stdout, re.MULTILINE))
    assert len(table) == 4
    assert all(85 < float(accuracy) < 95 for accuracy in table.values())
    assert float(table["predicted"]) > float(table["none"])  # weight decay matters in this set-up
    assert not list(tmp_path.glob("predict-lambda-*"))


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """The notebook with its outputs."""
    notebook = nbformat.read(EXAMPLES / "weight_decay.ipynb", as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder)}
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(folder)}}).execute(env=environment)
    return notebook


def outputs(notebook, containing):
    (cell,) = (c for c in notebook.cells if containing in c.source and c.cell_type == "code")
    return cell.outputs


def test_the_notebook_is_committed_without_outputs():
    notebook = nbformat.read(EXAMPLES / "weight_decay.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


@pytest.mark.slow
def test_the_notebook_runs_without_warnings(notebook):
    every = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in every if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in every) == 2


@pytest.mark.slow
def test_progress_is_one_line_a_round_and_one_bar_that_is_renewed_in_place(notebook):
    *progress, forecast = [output.data["text/plain"] for output in outputs(notebook, "predict_lambda(")]
    begun, ended = progress[::2], progress[1::2]
    assert 1 <= len(begun) == len(ended) <= 6
    assert all("task-probe-300-0.1\x1b[0m: " in text for text in begun)
    assert all(re.match(r"\d/\d points? · ", text) for text in ended)  # the bar, at its end
    assert "λ_pred" in forecast
    assert "/report.html" not in forecast  # nothing is left to be looked at
