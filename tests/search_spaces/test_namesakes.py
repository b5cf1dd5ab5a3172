"""Modules that have the name of another."""

import json
import sys
from pathlib import Path

import pytest

import search_spaces
from search_spaces.namesakes import describe_namesake, missing_attribute, place_of


def test_a_module_without_a_namesake_is_told_by_its_place_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_of(json) == json.__file__
    assert place_of(sys) == ""
    assert describe_namesake(json) == ""


@pytest.mark.parametrize("made", ["json.py", "json/__init__.py", "json/data.csv"])
def test_a_namesake_in_the_working_directory_is_found(tmp_path, monkeypatch, made):
    (tmp_path / made).parent.mkdir(exist_ok=True)
    (tmp_path / made).write_text("")
    monkeypatch.chdir(tmp_path)
    other = tmp_path / made.removesuffix("/data.csv")
    assert describe_namesake(json) == f" {other} has the same name and is hidden by it; rename that one."


def test_a_link_to_the_module_itself_is_no_namesake(tmp_path, monkeypatch):
    (tmp_path / "json").symlink_to(Path(json.__file__).parent)
    monkeypatch.chdir(tmp_path)
    assert describe_namesake(json) == ""


def test_a_missing_attribute_names_the_package_that_was_found():
    with pytest.raises(AttributeError, match=r"no attribute 'point'; it was found at .*search_spaces/__init__\.py\.$"):
        search_spaces.point  # noqa: B018
    assert str(missing_attribute("json", "__wrapped__")) == "module 'json' has no attribute '__wrapped__'"
