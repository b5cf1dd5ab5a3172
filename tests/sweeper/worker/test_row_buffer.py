"""Measurements become rows: the columns of the table, whatever is measured when."""

import numpy as np
import pytest

from results.store.schema import table_schema
from search_spaces.points import make_points
from sweeper.worker.row_buffer import RowBuffer
from trainables.measurement import Measurement

COLUMNS = (
    "train_acc", "test_acc", "train_loss", "test_loss", "weight_norm", "eta_eff", "epoch", "decay_time", "eta_t",
    "lam_t",
)  # fmt: skip


def measured(step, members):
    values = {name: np.array([step + m / 8 for m in members]) for name in COLUMNS}
    return Measurement(step=step, members=tuple(members), values=values)


@pytest.fixture
def points(small_grid):
    return make_points(small_grid("axes={eta: [0.1], lam: [0.01, 0.1], model.width: [8, 16], loss.scale: [paper]}"))


@pytest.fixture
def buffer(points):
    fixed = {"sweep": "demo", "pack": "k1", "attempt": 3}
    return RowBuffer(table_schema(points), {"model.width": 16.0, "loss.scale": "paper"}, fixed)


def test_rows_are_of_the_points_that_were_under_way(buffer, points):
    assert not buffer
    buffer.begin(points[:2])
    buffer.add(0.5, measured(1, [0, 1]))
    buffer.add(0.75, measured(4, [1]))
    buffer.begin(points[2:])
    buffer.add(1.0, measured(1, [0]))
    assert buffer
    rows = buffer.table().to_pylist()
    assert [(r["point"], r["step"], r["seconds"]) for r in rows] == [
        (points[0].id, 1, 0.5),
        (points[1].id, 1, 0.5),
        (points[1].id, 4, 0.75),
        (points[2].id, 1, 1.0),
    ]
    assert [r["test_loss"] for r in rows] == [1, 1.125, 4.125, 1]
    assert [r["model.width"] for r in rows] == [
        dict(p.variant).get("model.width", 16.0) for p in (*points[:2], points[1], points[2])
    ]
    assert {(r["sweep"], r["pack"], r["attempt"], r["loss.scale"]) for r in rows} == {("demo", "k1", 3, "paper")}
    assert [r["lam"] for r in rows] == [points[0].lam, points[1].lam, points[1].lam, points[2].lam]


def test_asking_takes_nothing_away_and_clearing_does(buffer, points):
    buffer.begin(points)
    buffer.add(0.5, measured(1, [0]))
    assert buffer.table().equals(buffer.table())
    buffer.add(0.5, measured(2, [0]))
    assert buffer.table()["step"].to_pylist() == [1, 2]
    buffer.clear()
    assert not buffer
    assert buffer.table().num_rows == 0
    assert buffer.table().schema == table_schema(points)
    buffer.add(0.5, measured(3, [3]))
    assert buffer.table()["point"].to_pylist() == [points[3].id]


def test_no_value_is_lost_on_the_way(buffer, points):
    odd = np.array([np.nan, np.inf, -np.inf, 1e-45])
    values = dict.fromkeys(COLUMNS, odd)
    buffer.begin(points)
    buffer.add(0.0, Measurement(step=2**40, members=(0, 1, 2, 3), values=values))
    table = buffer.table()
    assert table["step"].to_pylist() == [2**40] * 4
    for name in COLUMNS:
        got = table[name].to_numpy()
        np.testing.assert_array_equal(got, odd.astype(got.dtype))
        assert table[name].null_count == 0
