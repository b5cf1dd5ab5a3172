import math
from itertools import repeat

import numpy as np
from searches.replay import Found, Run, gaps_at, good_from, incumbents, quantiles


def test_incumbents_are_the_best_so_far_when_their_runs_end(table):
    runs = [Run(2), Run(0, share=0.25), Run(1, share=0.5), Run(0), Run(1)]
    # seed 0: 0.4 after 1 run, 0.1 after 1.25, 0.6 after 1.75; 0.5 and 0.6 are no better
    assert list(incumbents(runs, table, 0, most=16)) == [Found(1.0, 2), Found(1.75, 1)]
    # seed 1: 0.5, then 0.1, 0.4, 0.3, and 0.7 after 3.75
    assert list(incumbents(runs, table, 1, most=16)) == [Found(1.0, 2), Found(3.75, 1)]


def test_a_search_may_not_spend_more_than_its_budget(table):
    runs = [Run(2), Run(1, share=0.5), Run(0)]
    assert list(incumbents(runs, table, 0, most=1.4)) == [Found(1.0, 2)]
    assert list(incumbents(runs, table, 0, most=1.5)) == [Found(1.0, 2), Found(1.5, 1)]
    assert list(incumbents(repeat(Run(0, share=0.1)), table, 0, most=2)) == [Found(0.1, 0)]  # and it ends


def test_the_gap_of_a_search_is_that_of_its_incumbent():
    at = np.array([0.5, 1.0, 1.5, 3.0, 9.0])
    assert gaps_at([1.0, 3.0], [0.02, 0.001], at).tolist() == [math.inf, 0.02, 0.02, 0.001, 0.001]


def test_quantiles_are_gaps_that_so_many_searches_do_not_exceed():
    searches = np.array([[5.0, math.inf], [1.0, 2.0], [3.0, 1.0], [2.0, 4.0], [4.0, 3.0]])
    assert quantiles(searches, [0.1, 0.5, 0.9]).tolist() == [[1, 1], [3, 3], [5, math.inf]]


def test_good_is_for_good():
    at = np.array([1.0, 2.0, 3.0, 4.0])
    assert good_from(at, np.array([0.01, 0.004, 0.003, 0.0]), 0.004) == 2.0
    assert good_from(at, np.array([0.001, 0.01, 0.003, 0.0]), 0.004) == 3.0
    assert good_from(at, np.zeros(4), 0.004) == 1.0
    assert good_from(at, np.array([0.0, 0.0, 0.0, 0.01]), 0.004) == math.inf
