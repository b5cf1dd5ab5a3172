import pandas as pd
import pytest
from run_support import InterruptedBackend, stored_plan

from results.analysis.segments import extra_axes
from results.store.ledger import read_ends
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows
from search_spaces.outcome import Outcome
from sweeper.worker.torch_process import device_name


def _measured(directory):
    return read_rows(directory).drop(columns=["sweep", "pack", "attempt", "seconds"]).astype({"point": str})


def test_an_interrupted_sweep_continues_to_the_same_table(sweep, small_grid):
    with pytest.raises(KeyboardInterrupt):
        sweep(small_grid("resources.pack=2"), InterruptedBackend)
    account, directory = sweep(small_grid("resources.pack=4"))  # what has not begun is packed anew
    _, reference = sweep(small_grid("name=reference"))
    assert account.missing == 0
    pd.testing.assert_frame_equal(_measured(directory), _measured(reference))  # bit for bit


MICRO_BATCHES = ("trainable.batch=32", "trainable.micro_batch=8")
PROCESSES = "resources={processes_per_pack: 2, cpus_per_pack: 1}"


def test_without_ray_one_process_takes_all_micro_batches_and_says_so(sweep, small_grid, quiet):
    _, directory = sweep(small_grid(*MICRO_BATCHES, PROCESSES))
    assert "has one process, which takes all micro-batches of a step" in quiet.file.getvalue()
    _, reference = sweep(small_grid(*MICRO_BATCHES, "resources.pack=1", "name=reference"))
    pd.testing.assert_frame_equal(_measured(directory), _measured(reference))  # bit for bit


def test_failed_points_are_tried_again(train, small_grid, monkeypatch):
    grid = small_grid("axes.eta=[0.1]")

    def broken(*_args, **_kwargs):
        raise RuntimeError("no such layer")

    with monkeypatch.context() as patch:
        patch.setattr("sweeper.worker.run_pack.start_training", broken)
        directory, _, _ = train(grid)
    assert {e.outcome for e in read_ends(directory).values()} == {Outcome.FAILED}
    assert {e.why.partition(" (")[0] for e in read_ends(directory).values()} == {"RuntimeError: no such layer"}
    train(grid)
    assert {e.outcome for e in read_ends(directory).values()} == {Outcome.COMPLETED}


def test_an_axis_gained_becomes_a_column_of_the_old_rows_too(train, small_grid):
    directory, _, _ = train(small_grid("axes={eta: [0.1], lam: [0.01]}"))
    _, plan, _ = train(small_grid("axes={eta: [0.1], lam: [0.01], model.width: [8, 16]}"))
    assert [p.variant for p in plan.points] == [(("model.width", 8),)]  # 16 was trained before
    rows = pd.read_parquet(directory.rows)
    assert set(rows["model.width"]) == {8.0, 16.0}


def test_verdicts_and_report_of_a_small_sweep_are_written(sweep, small_grid):
    account, directory = sweep(small_grid())
    assert {v.claim for v in account.analysis.verdicts} >= {"scaling", "collapse", "lambda_pred_order"}
    page = directory.report.read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert set(read_points(directory)["device"]) == {device_name("cpu")}
    assert f"<dt>Machine</dt><dd>{device_name('cpu')}</dd>" in page
    assert "device" not in extra_axes(read_points(directory))
    figures = {p.name for p in (directory.analysis / "figures").iterdir()}
    assert figures == {
        f"{n}.{e}" for n in ("sweep", "collapse", "clocks", "lambda_pred") for e in ("svg", "png", "csv")
    }


PEAKED = ("stop=peaked", "budget={rule: predicted, max: 4000}", "axes={eta: [0.3], lam: [0, 0.1, 0.2]}")


def test_points_train_until_they_have_peaked_and_the_report_says_what_that_saved(sweep, small_grid):
    account, directory = sweep(small_grid(*PEAKED, "budget.zero_lam=60"))
    outcomes = {end.outcome: end for end in account.ends.values()}
    assert account.outcomes == {Outcome.STOPPED: 2, Outcome.COMPLETED: 1}
    assert outcomes[Outcome.STOPPED].why == "its test accuracy has peaked"
    assert "2 points that had peaked, after " in directory.report.read_text()
    peaks = account.analysis.findings.peaks.set_index("lam")
    assert (peaks.loc[[0.1, 0.2], "last_decay_time"] >= 1).all()
    assert (peaks.loc[[0.1, 0.2], "last_epoch"] < 4000).all()


def test_axes_of_words_and_numbers_and_the_initialization_scale_are_columns(sweep, small_grid):
    grid = small_grid("axes={eta: [0.1], lam: [0.01], batch: [full, 16], sigma_w: [1.0, 1.4]}", "measure={log: 5}")
    account, directory = sweep(grid)
    rows = pd.read_parquet(directory.rows)
    assert set(zip(rows["batch"], rows["sigma_w"], strict=True)) == {
        ("full", 1.0),
        ("full", 1.4),
        ("16", 1.0),
        ("16", 1.4),
    }
    assert {"batch", "sigma_w"} <= set(pd.read_parquet(directory.points).columns)
    assert {"batch", "sigma_w"} <= set(account.analysis.findings.peaks.columns)


def test_a_smaller_grid_is_complete_when_its_own_points_are(sweep, small_grid):
    with pytest.raises(KeyboardInterrupt):
        sweep(small_grid("resources.pack=1", "axes.eta=[0.3, 0.1]"), InterruptedBackend)
    account, _ = sweep(small_grid("axes.eta=[0.1]"))
    assert account.missing == 0


def test_a_sweep_without_an_end_can_be_analyzed(small_grid, tmp_path):
    from results.conclude import conclude
    from search_spaces.points import make_points
    from sweeper.driver.planning import plan_for
    from trainables.profile import profiles_of

    grid, directory = small_grid(), SweepDir(tmp_path / "small")
    points = make_points(grid)
    stored_plan(directory, grid, points, plan_for(grid, points, profiles_of(grid, points), workers=1))
    account = conclude(read_state(directory))
    assert account.missing == 6
    assert "pass" not in {v.verdict for v in account.analysis.verdicts}


def test_a_damaged_plan_is_written_anew(sweep, small_grid):
    _, directory = sweep(small_grid())
    directory.plan.write_text("{")
    account, _ = sweep(small_grid())
    assert account.missing == 0
