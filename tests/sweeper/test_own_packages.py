"""Folders of users that hold files with the names of sweeper's packages, in real processes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GRIDS = sorted((ROOT / "grids").rglob("*.yaml"))
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
    assert f"NamesakeError: sweeper needs its own package '{name}' ({ROOT}/{name}/__init__.py)" in error
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


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Wheels of sweeper, and of another distribution with a package ``results``."""
    folder = tmp_path_factory.mktemp("wheels")
    ours, theirs = folder / "ours", folder / "theirs"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (*NAMES, "sweeper"):
        shutil.copytree(ROOT / name, ours / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, ours)
    (theirs / "results").mkdir(parents=True)
    (theirs / "results/__init__.py").write_text("def f():\n    return 'theirs'\n")
    (theirs / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "other-results"\nversion = "1.0"\n[tool.setuptools]\npackages = ["results"]\n'
    )
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "-w", folder]
    subprocess.run([sys.executable, *build, ours, theirs], check=True, capture_output=True)
    return next(folder.glob("sweeper-*.whl")), next(folder.glob("other_results-*.whl"))


@pytest.fixture
def install(tmp_path):
    """Installs wheels into a fresh environment that sees the libraries of this one; gives its ``sweeper``."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(f"{Path(pytest.__file__).parent.parent}\n")  # whose own .pth are not read

    def run(*files):
        pip = ["-m", "pip", "--python", venv / "bin/python", "install", "--quiet", "--no-deps", "--no-index"]
        for file in files:
            subprocess.run([sys.executable, *pip, "--force-reinstall", file], check=True, capture_output=True)

        def sweeper(*words):
            usual = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"COLUMNS": "160"}
            command, text = [venv / "bin/sweeper", *words], {"capture_output": True, "text": True}
            return subprocess.run(command, cwd=tmp_path, env=usual, check=False, **text)

        return packages, sweeper

    return run


@pytest.mark.slow
def test_an_installed_sweeper_brings_its_grids_and_stands_beside_another_results(wheels, install, tmp_path):
    ours, theirs = wheels
    packages, sweeper = install(theirs, ours)
    (tmp_path / "results.py").write_text("def f():\n    return 'mine'\n")
    listed = json.loads(sweeper("grids", "--json").stdout)
    assert set(listed) == {path.relative_to(ROOT / "grids").with_suffix("").as_posix() for path in GRIDS}
    assert Path(listed["digits"]["file"]).parent == packages / "sweeper/grids"
    changes = ("--set", "budget={rule: fixed, constant: 5}", "--set", "axes.seed=[0]")
    done = sweeper("run", "digits", *changes, "--backend", "inprocess", "--tracking-uri", "none")
    assert done.returncode == 0, done.stderr
    assert "27 completed" in done.stdout
    assert (tmp_path / "runs/digits/report.html").is_file()


@pytest.mark.slow
def test_another_results_that_was_installed_over_sweepers_is_named_in_a_sentence(wheels, install):
    packages, sweeper = install(*wheels)
    done = sweeper("grids")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: sweeper needs its own package 'results', but the file {packages}/results/")
    assert "belongs to the package 'other-results', which was installed over it" in done.stderr
    assert len(done.stderr.splitlines()) == 1
