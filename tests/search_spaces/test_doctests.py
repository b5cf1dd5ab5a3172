import doctest
import importlib
import pkgutil

import pytest

import search_spaces

MODULES = [f"search_spaces.{module.name}" for module in pkgutil.iter_modules(search_spaces.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
