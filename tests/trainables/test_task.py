"""Functions of the user's own that a grid names."""

import sys
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from trainables.task import import_function

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory that is off the import path afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.mark.parametrize(
    ("function", "made", "found"),
    [
        ("results:f", "results.py", f"has no function f; it was found at {ROOT}/results/__init__.py."),
        ("results.mine:f", "results/mine.py", "cannot be imported (No module named 'results.mine')"),
        ("results:f", "results/__init__.py", f"has no function f; it was found at {ROOT}/results/__init__.py."),
        ("trainables:f", "trainables.py", f"has no function f; it was found at {ROOT}/trainables/__init__.py."),
        (
            "search_spaces:f",
            "search_spaces.py",
            f"has no function f; it was found at {ROOT}/search_spaces/__init__.py.",
        ),
        ("sweeper:f", "sweeper.py", f"has no function f; it was found at {ROOT}/sweeper/__init__.py."),
        ("random:f", "random.py", "the module random has no function f; it was found at /"),
        ("sys:f", "sys.py", "the module sys has no function f; it was found at Python itself."),
    ],
)
def test_a_function_in_a_file_that_another_module_hides(folder, function, made, found):
    (folder / made).parent.mkdir(exist_ok=True)
    (folder / made).write_text("def f():\n    return 1\n")
    with pytest.raises(InputError) as refused:
        import_function(function, "trainable.function", (), {})
    assert found in str(refused.value)
    other = folder / ("results" if function == "results.mine:f" else made)
    assert str(refused.value).endswith(f" {other} has the same name and is hidden by it; rename that one.")


def test_a_module_without_the_function_is_told_with_its_file(folder):
    (folder / "only_g.py").write_text("def g():\n    return 1\n")
    with pytest.raises(InputError, match=rf"no function f; it was found at {folder}/only_g\.py\.$"):
        import_function("only_g:f", "trainable.function", (), {})
