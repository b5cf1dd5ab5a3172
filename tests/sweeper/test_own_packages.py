"""Folders of users that hold files with the names of sweeper's packages, in real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NAMES = ("search_spaces", "trainables", "results")
# What an editable install adds: sweeper is found behind everything that the path holds.
EDITABLE = f"""
import sys
from importlib.util import spec_from_file_location
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        mapped = name in {(*NAMES, "sweeper")}
        return spec_from_file_location(name, f"{ROOT}/{{name}}/__init__.py") if mapped else None
sys.meta_path[:] = [f for f in sys.meta_path if 'Editable' not in getattr(f, '__name__', '')] + [Finder]
"""


def python(folder, *arguments, path=""):
    """Run Python in a folder; returns its status and both outputs, the last line of errors apart."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout, (done.stderr.strip().splitlines() or [""])[-1]


def script(folder, code):
    """Run a script of the user's beside an editable install."""
    (folder / "script.py").write_text(EDITABLE + code)
    return python(folder, "script.py")


@pytest.fixture(params=["module", "package", "folder"])
def namesakes(request, tmp_path):
    """A folder with a ``results`` of the user's, and one of each other package: a file, a package, a folder of data."""
    for name in NAMES:
        if request.param == "module":
            (tmp_path / f"{name}.py").write_text("def f():\n    return 'mine'\n")
        else:
            (tmp_path / name).mkdir()
            (tmp_path / name / "data.csv").write_text("1\n")
        if request.param == "package":
            (tmp_path / name / "__init__.py").write_text("def f():\n    return 'mine'\n")
    return tmp_path


def test_a_script_finds_the_packages_of_sweeper(namesakes):
    code = "import sweeper.cli.app, trainables.measurement\nfrom results import find\nprint(find.__module__)"
    assert script(namesakes, code) == (0, "results.analysis.findings\n", "")


def test_the_command_works_from_the_path_of_such_a_folder(namesakes):
    command = "import sys; sys.argv = ['sweeper', '--version']; from sweeper.cli.app import main; main()"
    for arguments in (["-m", "sweeper", "--version"], ["-c", command]):
        status, out, error = python(namesakes, *arguments, path=f".{os.pathsep}{ROOT}")
        assert (status, error) == (0, "")
        assert out.startswith("sweeper ")


def test_a_script_keeps_its_own_module_as_long_as_nothing_needs_sweepers(tmp_path):
    (tmp_path / "results.py").write_text("def f():\n    return 'mine'\n")
    code = """
from sweeper.own_packages import TO_TRAIN, require  # what AutoL2, Dataset and Task ask for
require(TO_TRAIN)
import results, trainables
print(results.f(), trainables.__file__)
"""
    assert script(tmp_path, code) == (0, f"mine {ROOT}/trainables/__init__.py\n", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_module_that_was_imported_before_is_named_with_the_package_it_stands_for(tmp_path, name):
    (tmp_path / f"{name}.py").write_text("")
    status, _, error = script(tmp_path, f"import {name}\nfrom sweeper import predict_lambda")
    assert status == 1
    assert f"ImportError: sweeper needs its own package '{name}' ({ROOT}/{name}/__init__.py)" in error
    assert f"was imported before: {tmp_path}/{name}.py. Rename that one." in error


def test_a_folder_that_was_imported_before_is_named_too(tmp_path):
    (tmp_path / "results").mkdir()
    status, _, error = script(tmp_path, "import results\nfrom sweeper import load_model")
    assert status == 1
    assert f"was imported before: {tmp_path}/results. Rename" in error


@pytest.mark.parametrize("name", NAMES)
def test_a_module_that_is_hidden_is_named_with_the_package_that_hides_it(tmp_path, name):
    (tmp_path / f"{name}.py").write_text("def f():\n    return 'mine'\n")
    status, _, error = script(tmp_path, f"import sweeper.cli.app\nimport {name}\n{name}.f()")
    assert status == 1
    assert f"AttributeError: module '{name}' has no attribute 'f'; it was found at {ROOT}/{name}/__init__.py." in error
    assert f"{tmp_path}/{name}.py has the same name and is hidden by it; rename that one." in error
