"""The best setting of a sweep, while it runs and after it."""

from dataclasses import replace

from tests_support import SMALL

from results.store.state import read_state
from search_spaces.reading.load import load_grid
from sweeper.health.best import best_setting


def test_it_is_that_of_the_analysis_and_none_before_a_point_has_ended(sweep):
    result, directory = sweep(load_grid(SMALL, "small.yaml"))
    state = read_state(directory)
    assert best_setting(state).startswith(result.analysis.winner.summary())
    assert best_setting(replace(state, footers={})) is None
