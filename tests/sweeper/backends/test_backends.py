"""The contract of a backend: these tests run on every one."""

from collections import Counter

import pandas as pd
import pytest

from results.store.ledger import read_ends
from results.store.state import read_state
from results.store.tables import read_rows
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.points import make_points

MEASURED = ["train_acc", "test_acc", "train_loss", "test_loss", "weight_norm", "decay_time", "epoch", "step"]


def _table(directory):
    rows = read_rows(directory)
    keys = ["point", "step"]
    return (
        rows[keys + [c for c in MEASURED if c not in keys]].astype({"point": str}).sort_values(keys, ignore_index=True)
    )


def _outcomes(directory):
    return Counter(end.outcome for end in read_ends(directory).values())


def test_every_point_ends_and_the_table_equals_that_of_this_process(train, small_grid, open_backend):
    directory, _, _ = train(small_grid("name=a"), open_backend)
    reference, _, _ = train(small_grid("name=b"))
    assert _outcomes(directory) == {Outcome.COMPLETED: 6}
    pd.testing.assert_frame_equal(_table(directory), _table(reference))  # bit for bit


def test_summaries_add_up_to_the_plan(train, small_grid, open_backend):
    _, plan, heard = train(small_grid(), open_backend)
    last = {p.pack: p.steps for p in heard if p.steps is not None}
    assert sum(last.values()) == plan.cost.steps
    assert sorted(e.point for p in heard for e in p.ends) == sorted(p.id for p in plan.points)
    assert sorted(p.pack for p in heard if p.left) == sorted(p.id for p in plan.packs)


def test_an_error_stays_with_its_point(train, small_grid, open_backend):
    """A layer of 10^6 × 10^6 weights cannot be made; the points of width 16 know nothing of it."""
    grid = small_grid("axes={eta: [0.1], lam: [0.01, 0.1], model.width: [16, 1000000]}")
    directory, _, _ = train(grid, open_backend)
    assert _outcomes(directory) == {Outcome.COMPLETED: 2, Outcome.FAILED: 2}
    failed = [e for e in read_ends(directory).values() if e.outcome is Outcome.FAILED]
    assert all("memory" in e.why for e in failed)
    log = (directory.logs / f"{failed[0].point}.txt").read_text()
    assert log.startswith("Traceback")
    assert "initial_parameters" in log


def test_diverged_points_keep_their_rows(train, small_grid, open_backend):
    grid = small_grid("axes={eta: [0.1, 1e6], lam: [1.0]}", "budget={rule: fixed, constant: 40}")
    directory, _, _ = train(grid, open_backend)
    assert _outcomes(directory) == {Outcome.COMPLETED: 1, Outcome.DIVERGED: 1}
    rows = read_rows(directory)
    assert rows.loc[rows.eta == 1e6, "test_acc"].isna().sum() == 1


def test_a_second_run_trains_only_what_is_missing(train, small_grid, open_backend):
    directory, _, _ = train(small_grid("axes.lam=[0.01, 0.1]"), open_backend)
    before = read_ends(directory)
    _, plan, _ = train(small_grid(), open_backend)
    after = read_ends(directory)
    assert (len(before), len(plan.points), len(after)) == (4, 2, 6)
    assert all(after[p] == end for p, end in before.items())  # not even their times changed


def test_packs_that_fit_no_node_are_refused(small_grid, open_backend):
    backend = open_backend()
    if backend.name == "inprocess":
        pytest.skip("this process takes any pack")
    with pytest.raises(InputError, match=r"resources: a pack asks for 999 CPUs and 0 GPUs, but no node has them"):
        backend.request_capacity(small_grid("resources.cpus_per_pack=999").resources)()


def test_missing_points_are_those_without_an_end(train, small_grid):
    grid = small_grid()
    directory, _, _ = train(small_grid("axes.eta=[0.1]"))
    assert {p.eta for p in read_state(directory).missing(make_points(grid))} == {0.3}
