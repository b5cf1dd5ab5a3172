"""Rows reduced in batches give what the whole table gives, however points lie in parts and parts in batches."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results.analysis.budgets import within_budget
from results.analysis.curves import collapse_curves
from results.analysis.findings import build_question, find, find_from
from results.analysis.reduction import ROW_COLUMNS, reduce_rows
from results.analysis.regime import TrainingRegime
from results.store.commits import Commit
from results.store.parts import valid_parts_in, write_part
from results.store.row_batches import row_batches
from results.store.schema import COLUMNS, row_schema
from results.store.sweep_dir import SweepDir
from search_spaces.sections.optimizer import Piecewise

BUDGETS = (100, 300)
PAPER = TrainingRegime(schedule=Piecewise(name="piecewise", at=[0.4], factor=0.2))
EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def sweep(make_sweep):
    return make_sweep(etas=(0.05, 0.15), lams=(1e-3, 3e-3, 1e-2, 3e-2), seeds=(0, 1), noise=0.2, measurements=40)


def _table(rows):
    """The rows as workers write them: every column of the schema."""
    full = rows.reindex(columns=[c.name for c in COLUMNS])
    return pa.Table.from_pandas(full, schema=row_schema(), preserve_index=False, safe=False)


def _assert_same(ours, whole):
    pd.testing.assert_frame_equal(ours.peaks, whole.peaks, check_exact=True)
    pd.testing.assert_frame_equal(ours.steady, whole.steady, check_exact=True)
    pd.testing.assert_frame_equal(ours.within, whole.within, check_exact=True, check_dtype=False)
    pd.testing.assert_frame_equal(ours.prediction, whole.prediction, check_exact=True)
    pd.testing.assert_frame_equal(ours.curves, whole.curves, check_exact=True)
    assert ours.exponents == whole.exponents


@EXAMPLES
@given(data=st.data(), regime=st.sampled_from([TrainingRegime(), PAPER]))
def test_any_split_of_the_points_gives_the_whole(sweep, data, regime):
    rows, points = sweep
    whole = find(rows, points, 0.005, BUDGETS, regime)
    batch = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(points), max_size=len(points))))
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(rows))
    shuffled = rows.iloc[order]
    question = build_question(points, [], 0.005, BUDGETS, regime)
    parts = [
        reduce_rows(shuffled[shuffled["point"].isin(points["point"][batch == number])], question)
        for number in np.unique(batch)
    ]
    _assert_same(find_from(parts, question), whole)


@EXAMPLES
@given(data=st.data(), most=st.sampled_from([1, 100, 300, 10_000]))
def test_any_distribution_over_parts_gives_the_whole(sweep, data, most, tmp_path_factory, monkeypatch):
    rows, points = sweep
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    # A point went through one to three packs of five, whatever its rows; parts hold them in any order.
    packs = [rng.choice(5, size=rng.integers(1, 4), replace=False) for _ in range(len(points))]
    place = pd.Series(packs, index=points["point"])
    part = np.array([rng.choice(place[point]) for point in rows["point"]])
    order = rng.permutation(len(rows))
    directory = SweepDir(tmp_path_factory.mktemp("sweep"))
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # nothing here is about the disk
    for number in range(5):
        own = rows.iloc[order][part[order] == number]
        write_part(directory, f"pack{number}", 0, (), _table(own), Commit())
    monkeypatch.setattr("results.store.row_batches.BATCH_ROWS", most)
    question = build_question(points, [], 0.005, BUDGETS, TrainingRegime())
    read = [batch.read(directory, ROW_COLUMNS) for batch in row_batches(directory, valid_parts_in(directory))]
    assert sum(map(len, read)) == len(rows)
    assert sum(rows_["point"].nunique() for rows_ in read) == len(points)
    largest = rows.groupby("point").size().max()
    assert max(map(len, read)) <= max(most, largest) + largest
    _assert_same(
        find_from([reduce_rows(table, question) for table in read], question), find(rows, points, 0.005, BUDGETS)
    )


def test_findings_are_those_of_the_tables_one_by_one(sweep):
    rows, points = sweep
    found = find(rows, points, 0.005, BUDGETS)
    within = within_budget(rows, BUDGETS).sort_values(["budget_at", "point"], ignore_index=True)
    pd.testing.assert_frame_equal(found.within, within, check_dtype=False)
    pd.testing.assert_frame_equal(found.curves, collapse_curves(rows, found.peaks), check_dtype=False)


def test_no_part_is_no_batch(tmp_path):
    directory = SweepDir(tmp_path)
    assert row_batches(directory, valid_parts_in(directory)) == []
    write_part(directory, "k", 0, (), row_schema().empty_table(), Commit())
    assert row_batches(directory, valid_parts_in(directory)) == []


def test_of_all_parts_only_those_given_are_read(sweep, tmp_path):
    rows, _ = sweep
    directory = SweepDir(tmp_path)
    names = [write_part(directory, "k", attempt, (), _table(rows), Commit()) for attempt in range(2)]
    (batch,) = row_batches(directory, valid_parts_in(directory))
    assert batch.names == (names[1],)
    assert len(batch.read(directory, ROW_COLUMNS)) == len(rows)
