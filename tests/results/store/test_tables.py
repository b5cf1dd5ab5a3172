"""The tables of a sweep as pandas frames, and its verdicts, whose reader is bounded and typed."""

import json
import math
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests_support import commit_rows, point_end, rows_table

from results.analysis.bootstrap import IntervalEstimate
from results.claims.verdict import PointCounts, inconclusive, make_verdict
from results.store import tables
from results.store.files import write_text
from results.store.ledger import read_ends
from results.store.parts import remove_parts
from results.store.schema import COLUMNS
from results.store.sweep_dir import SweepDir
from results.store.tables import (
    StoredVerdict,
    VerdictsFile,
    read_points,
    read_rows,
    read_verdicts,
    row_columns,
    write_points,
)
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.sections.metric import Metric

AXES = {"eta": 0.1, "lam": 0.0, "mu": 0.0, "seed": 0, "budget": 5.0}


@pytest.fixture
def sweep(tmp_path):
    return SweepDir(tmp_path / "demo")


def test_rows_come_back_ordered_by_point_and_step(sweep):
    commit_rows(sweep, rows_table(["p2", "p1"], steps=[4, 1]))
    commit_rows(sweep, rows_table(["p1"], steps=[2]), sequence=1)
    rows = read_rows(sweep)
    assert list(zip(rows["point"], rows["step"], strict=True)) == [
        ("p1", 1),
        ("p1", 2),
        ("p1", 4),
        ("p2", 1),
        ("p2", 4),
    ]
    assert list(rows.columns) == [c.name for c in COLUMNS]


def test_rows_come_back_as_they_were(sweep):
    commit_rows(sweep, rows_table(["p1"], steps=[4, 1]))
    commit_rows(sweep, rows_table(["p1"], steps=[2]), sequence=1)
    rows = read_rows(sweep)
    assert rows["step"].tolist() == [1, 2, 4]
    assert rows["test_acc"].tolist() == [0.125, 0.25, 0.5]
    assert rows["test_acc"].dtype == np.float32


def test_only_rows_of_parts_that_count_are_read(sweep):
    commit_rows(sweep, rows_table(steps=[1, 2]))
    commit_rows(sweep, rows_table(steps=[3], attempt=0), sequence=1)
    commit_rows(sweep, rows_table(steps=[4], attempt=1), attempt=1, sequence=1)
    lost = commit_rows(sweep, rows_table(steps=[8], attempt=1), attempt=1, sequence=2)
    commit_rows(sweep, rows_table(steps=[9], attempt=1), attempt=1, sequence=3)
    remove_parts(sweep, [lost])
    rows = read_rows(sweep)
    assert list(zip(rows["step"], rows["attempt"], strict=True)) == [(1, 0), (2, 0), (4, 1)]


def test_nan_and_infinity_stay_what_they_are(sweep):
    values = {"test_acc": math.nan, "train_loss": math.inf, "weight_norm": -math.inf}
    commit_rows(sweep, rows_table(**values), point_end("p1", Outcome.DIVERGED))
    rows = read_rows(sweep)
    assert len(rows) == 3
    assert rows["test_acc"].isna().all()
    assert np.isnan(pq.read_table(sweep.rows)["test_acc"].to_numpy()).all(), "NaN, not null"
    assert rows["train_loss"].tolist() == [math.inf] * 3
    assert rows["weight_norm"].tolist() == [-math.inf] * 3


def test_chosen_columns(sweep):
    commit_rows(sweep, rows_table(["p2", "p1"]))
    rows = read_rows(sweep, ["point", "test_acc"])
    assert list(rows.columns) == ["point", "test_acc"]
    assert sorted(rows["point"]) == ["p1"] * 3 + ["p2"] * 3


@pytest.mark.parametrize("columns", [None, ["point", "step"]])
def test_no_rows_yet(sweep, columns):
    assert list(read_rows(sweep, columns).columns) == (columns or [c.name for c in COLUMNS])
    assert read_ends(sweep) == {}


def test_further_axes_are_columns(sweep):
    commit_rows(sweep, rows_table(**{"model.width": 8.0, "loss.scale": "mean"}))
    stored = read_rows(sweep)
    assert stored["model.width"].tolist() == [8] * 3
    assert list(stored["loss.scale"]) == ["mean"] * 3
    assert row_columns(sweep) == list(stored.columns)


def test_pandas_reads_the_folder_as_the_same_table(sweep):
    commit_rows(sweep, rows_table(["p2", "p1"]), point_end("p1"))
    commit_rows(sweep, rows_table(["p3"], pack="k2"), pack="k2")
    (sweep.rows / ".k3-000-00000-000000000000.parquet.7.tmp").write_bytes(b"PAR1 half a file")
    ours = read_rows(sweep)
    theirs = pd.read_parquet(sweep.rows)
    text = ["sweep", "point", "pack"]
    assert [ours[name].dtype.name for name in text] == ["category"] * 3
    ours, theirs = (
        t.astype(dict.fromkeys(text, "str")).sort_values(["point", "step"], ignore_index=True) for t in (ours, theirs)
    )
    pd.testing.assert_frame_equal(ours, theirs)


# ------------------------------------------------------------------------------------------------------- points


def test_points_table(sweep):
    ends = [point_end("old"), point_end("p2", Outcome.DIVERGED, why="nan"), point_end("p1", kappa=0.5)]
    commit_rows(sweep, rows_table(["p1", "p2", "old"]), *ends)
    axes = {p: AXES | {"eta": eta} for p, eta in (("p1", 0.1), ("p2", 1.0), ("missing", 2.0))}
    points = write_points(sweep, axes, read_ends(sweep))
    assert points["point"].tolist() == ["p1", "p2", "old"]
    assert points["outcome"].tolist() == ["completed", "diverged", "completed"]
    assert points["eta"].tolist()[:2] == [0.1, 1.0]
    pd.testing.assert_frame_equal(read_points(sweep), points)


def test_points_table_of_an_unfinished_sweep(sweep):
    points = write_points(sweep, {"p1": AXES}, {})
    assert len(points) == 0
    assert {"point", "outcome", "why"} <= set(read_points(sweep).columns)


def test_points_before_any_analysis(sweep):
    with pytest.raises(InputError) as caught:
        read_points(sweep)
    assert str(caught.value) == f"{sweep.root}: no points.parquet here. Run 'sweeper analyze {sweep.root}' first."


SCALING = {
    "claim": "scaling",
    "verdict": "pass",
    "value": -1.0,
    "interval": [-1.1, None],
    "threshold": "-1",
    "why": "b",
}


def read_written_verdicts(sweep: SweepDir, content: object) -> VerdictsFile:
    write_text(sweep.verdicts, content if isinstance(content, str) else json.dumps(content))
    return read_verdicts(sweep)


def test_it_reads_what_an_analysis_writes(sweep):
    estimate = IntervalEstimate(value=-1.0, interval=(-1.1, math.inf))
    passed = make_verdict("scaling", estimate, "-1", "pass", "b", PointCounts(3, 1))
    verdicts = [passed.to_json(), inconclusive("plateau", "<= 2", "too few").to_json()]
    file = read_written_verdicts(
        sweep, {"sweep": "digits", "generation": "1-2-0123456789ab", "best": None, "verdicts": verdicts}
    )
    scaling = StoredVerdict(claim="scaling", verdict="pass", value=-1.0, interval=(-1.1, None), threshold="-1", why="b")
    plateau = StoredVerdict(claim="plateau", verdict="inconclusive", threshold="<= 2", why="too few")
    assert (list(file.verdicts), file.generation) == ([scaling, plateau], "1-2-0123456789ab")


def test_further_keys_and_further_words_are_no_damage(sweep):
    further = SCALING | {"verdict": "unasked", "band": [-1.1, -0.9], "lacks": "four decades"}
    (verdict,) = read_written_verdicts(sweep, {"verdicts": [further], "of": "tomorrow"}).verdicts
    assert (verdict.verdict, verdict.why) == ("unasked", "b")


def test_texts_of_others_become_printable_lines_of_bounded_length(sweep):
    hostile = SCALING | {"claim": "a\nb\x1b[31m", "why": "x" * 10**6, "threshold": "\x07"}
    (verdict,) = read_written_verdicts(sweep, {"verdicts": [hostile]}).verdicts
    assert verdict.claim == "a b"
    assert len(verdict.why) == 5000
    assert verdict.threshold == "\\x07"


DAMAGED = {
    "empty": "",
    "deep": "[" * 100_000,
    "a list": [],
    "no verdicts": {"sweep": "digits"},
    "no claim": {"verdicts": [{"verdict": "pass"}]},
    "a number for a word": {"verdicts": [SCALING | {"verdict": 1}]},
    "text for a number": {"verdicts": [SCALING | {"value": "much"}]},
    "infinity": '{"verdicts": [{"claim": "scaling", "verdict": "pass", "value": 1e999}]}',
    "three ends": {"verdicts": [SCALING | {"interval": [1, 2, 3]}]},
    "no text": {"verdicts": [], "generation": 3},
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_one_line_with_file_and_remedy(sweep, content):
    with pytest.raises(InputError, match=re.escape(f"{sweep.verdicts}: damaged (")) as caught:
        read_written_verdicts(sweep, content)
    assert str(caught.value).endswith(f"Run 'sweeper analyze {sweep.root}' first.")
    assert str(caught.value).isprintable()


def test_a_sweep_that_was_not_analyzed_says_so(sweep):
    with pytest.raises(InputError, match=r"demo: no analysis/verdicts\.json here\. Run 'sweeper analyze"):
        read_verdicts(sweep)


def test_a_file_that_would_fill_the_memory_is_not_read(sweep, monkeypatch):
    monkeypatch.setattr(tables, "MAX_VERDICTS_BYTES", 10)
    with pytest.raises(InputError, match="at most 10 are expected"):
        read_written_verdicts(sweep, {"verdicts": []})


def test_the_best_of_another_metric_is_a_column_where_there_is_one(sweep):
    loss, accuracy = Metric(name="test_loss"), Metric()
    plain, judged = point_end("p1", best_test_acc=0.9), point_end("p1", best_metric=0.25)
    assert (plain.best(accuracy), plain.best(loss), judged.best(loss), judged.best(accuracy)) == (0.9, None, 0.25, None)
    assert "best_metric" not in write_points(sweep, {"p1": AXES}, {"p1": plain})
    assert "best_metric" not in read_points(sweep)
    write_points(sweep, {"p1": AXES}, {"p1": judged})
    assert read_points(sweep)["best_metric"].tolist() == [0.25]
