import pandas as pd
import pytest
import yaml
from faults_support import flip_a_byte
from run_support import show_plan, stored_plan

from results.analysis.segments import extra_axes
from results.store.ledger import read_ends
from results.store.plan_file import read_plan
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from search_spaces.reading.dump import to_yaml
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.driver import run
from sweeper.health.verify import inspect
from sweeper.weights import load_model
from sweeper.worker.torch_process import device_name
from trainables.task import task_of


class _Interrupted(InProcessBackend):
    """Stops after the first pack, as a user's Ctrl-C would between two packs."""

    def run(self, directory, plan, grid, notify):
        def count(progress):
            notify(progress)
            if progress.left:
                raise KeyboardInterrupt

        super().run(directory, plan, grid, count)


def _measured(directory):
    return read_rows(directory).drop(columns=["sweep", "pack", "attempt", "seconds"]).astype({"point": str})


def test_an_interrupted_sweep_continues_to_the_same_table(sweep, small_grid):
    with pytest.raises(KeyboardInterrupt):
        sweep(small_grid("resources.pack=2"), _Interrupted)
    account, directory = sweep(small_grid("resources.pack=4"))  # what has not begun is packed anew
    _, reference = sweep(small_grid("name=reference"))
    assert account.missing == 0
    pd.testing.assert_frame_equal(_measured(directory), _measured(reference))  # bit for bit


def test_packs_that_have_begun_keep_their_points_and_the_others_are_packed_anew(sweep, small_grid, tmp_path):
    """The numbers of a pack depend, in their last bits, on who trains together."""
    with pytest.raises(KeyboardInterrupt):
        sweep(small_grid("resources.pack=2"), _Interrupted)
    before = read_plan(SweepDir(tmp_path / "small"))
    sweep(small_grid("resources.pack=4"))
    after = read_plan(SweepDir(tmp_path / "small"))
    begun, others = before.packs[0], before.packs[1:]
    assert begun in after.packs
    assert sorted(len(p.points) for p in after.packs) == [2, 4]
    assert not {p.id for p in others} & {p.id for p in after.packs}


def test_where_nothing_has_changed_all_packs_stay(sweep, small_grid, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep(small_grid("resources.pack=2"), _Interrupted)
    before = read_plan(SweepDir(tmp_path / "small"))
    _, directory = sweep(small_grid("resources.pack=2"))
    assert read_plan(directory).pack_points == before.pack_points


MICRO_BATCHES = ("trainable.batch=32", "trainable.micro_batch=8")
PROCESSES = "resources={processes_per_pack: 2, cpus_per_pack: 1}"


def test_without_ray_one_process_takes_all_micro_batches_and_says_so(sweep, small_grid, quiet):
    _, directory = sweep(small_grid(*MICRO_BATCHES, PROCESSES))
    assert "has one process, which takes all micro-batches of a step" in quiet.file.getvalue()
    _, reference = sweep(small_grid(*MICRO_BATCHES, "resources.pack=1", "name=reference"))
    pd.testing.assert_frame_equal(_measured(directory), _measured(reference))  # bit for bit


def test_a_plan_says_how_a_step_is_shared(small_grid, quiet):
    for setting, said in ((PROCESSES, "shared by 2 processes"), ("resources.pack=1", "one after the other")):
        show_plan(small_grid(*MICRO_BATCHES, setting), quiet)
        assert f", each of 4 micro-batches of 8 samples, {said}" in quiet.file.getvalue()


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


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("optimizer={name: sgd, mu: 0.9}", "optimizer.mu: 0.0 → 0.9"),
        ("measure={every: epoch}", "measure.every: null → epoch"),
        ("trainable.loss={name: softmax, scale: paper}", "trainable.loss.scale: mean → paper"),
        ("budget.max=30", "budget of eta 0.1, lam 0: 60 → 30 epochs"),
    ],
)
def test_changes_that_would_alter_points_are_refused(sweep, small_grid, change, line):
    _, directory = sweep(small_grid())
    before = {p: p.stat().st_mtime_ns for p in directory.root.rglob("*")}
    with pytest.raises(InputError, match="this sweep was made with another grid") as refusal:
        sweep(small_grid(change))
    assert line in str(refusal.value)
    assert {p: p.stat().st_mtime_ns for p in directory.root.rglob("*")} == before


def test_a_grid_as_resolved_is_a_grid(small_grid):
    grid = small_grid("axes={eta: [0.1], lam: {log: [1e-5, 1], num: 7}, seed: [0, 1]}")
    text = to_yaml(grid)
    assert load_grid(text, "grid.yaml") == grid
    assert yaml.safe_load(text)["budget"]["max"] == 60.0


def test_verdicts_and_report_of_a_small_sweep_are_written(sweep, small_grid):
    account, directory = sweep(small_grid())
    assert {v.claim for v in account.analysis.verdicts} >= {"scaling", "collapse", "lambda_pred_order"}
    page = directory.report.read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert set(read_points(directory)["device"]) == {device_name("cpu")}
    assert f"<dt>Machine</dt><dd>{device_name('cpu')}</dd>" in page
    assert "device" not in extra_axes(read_points(directory))
    figures = {p.name for p in (directory.analysis / "figures").iterdir()}
    assert figures == {f"{n}.{e}" for n in ("sweep", "collapse", "lambda_pred") for e in ("svg", "png", "csv")}


@pytest.mark.parametrize("name", ["1e-3", "09", "true", "null", "1.5"])
def test_a_name_that_looks_like_a_number_stays_a_name(small_grid, name):
    grid = small_grid(f'name="{name}"')
    assert load_grid(to_yaml(grid), "grid.yaml") == grid


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
        sweep(small_grid("resources.pack=1", "axes.eta=[0.3, 0.1]"), _Interrupted)
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


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(sweep, small_grid, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="torch finds no GPU here"):
        sweep(small_grid("resources.gpus_per_pack=1"))
    assert not (tmp_path / "small").exists()


def test_weights_that_are_kept_measure_as_the_last_row_says(sweep, small_grid):
    """Also of points whose pack was interrupted, and of those that ended before the others."""
    budget = "budget={rule: fixed, constant: 40, exceptions: [{eta: 0.1, lam: 0.1, epochs: 20}]}"
    axes = "axes={eta: [0.1, 1e6], lam: [0.01, 0.1]}"
    grid = small_grid("keep_weights=true", budget, axes, "recovery.commit_seconds=0")
    with pytest.raises(KeyboardInterrupt):
        sweep(grid, _Interrupted)
    account, directory = sweep(grid)
    trained = {id_ for id_, end in account.ends.items() if end.outcome is Outcome.COMPLETED}
    assert len(trained) == 2
    assert {path.stem.partition("-")[0] for path in directory.weights.iterdir()} == trained
    assert len(list(directory.weights.iterdir())) == len(trained)
    task = task_of(grid.trainable)
    x, labels = task.data.normalize(task.data.test.x), task.data.test.labels
    last = read_rows(directory).groupby("point", observed=True)["test_acc"].last()
    for id_ in trained:
        accuracy = (load_model(directory.root, id_)(x).argmax(1) == labels).float().mean()
        assert float(accuracy) == pytest.approx(last[id_], abs=1e-6)


def test_weights_that_were_not_kept_are_named(sweep, small_grid):
    account, directory = sweep(small_grid("axes={eta: [0.1], lam: [0.1]}"))
    with pytest.raises(InputError, match=r"no point nonsense; 'points.parquet' has the ids"):
        load_model(directory.root, "nonsense")
    with pytest.raises(InputError, match=r"weights: none of point \w+\. Weights are kept of points that"):
        load_model(directory.root, next(iter(account.ends)))


def test_weights_that_were_damaged_are_not_loaded(sweep, small_grid):
    account, directory = sweep(small_grid("axes={eta: [0.1], lam: [0.1]}", "keep_weights=true"))
    (path,) = directory.weights.iterdir()
    flip_a_byte(path)
    with pytest.raises(InputError, match="damaged, its content is not what its name says"):
        load_model(directory.root, next(iter(account.ends)))
    assert [fault.file for fault in inspect(directory).damage] == [f"weights/{path.name}"]


class _Asked(InProcessBackend):
    """Notes what is done with it."""

    def __init__(self):
        self.noted = ["opened"]

    def request_capacity(self, resources):
        self.noted.append("asked")
        return super().request_capacity(resources)

    def run(self, directory, plan, grid, notify):
        self.noted.append("run")
        super().run(directory, plan, grid, notify)

    def close(self):
        self.noted.append("closed")


def test_what_takes_time_to_answer_is_asked_before_the_sweep_is_put_in_order(sweep, small_grid, monkeypatch):
    backend, prepare_for_run = _Asked(), run.prepare_for_run
    monkeypatch.setattr(
        run, "prepare_for_run", lambda *how: (backend.noted.append("in order"), prepare_for_run(*how))[1]
    )
    sweep(small_grid(), lambda: backend)
    assert backend.noted == ["opened", "asked", "in order", "run", "closed"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("an axis was text")])
def test_a_backend_is_closed_whatever_keeps_the_sweep_from_being_put_in_order(sweep, small_grid, monkeypatch, error):
    backend = _Asked()

    def fails(*_how):
        raise error

    monkeypatch.setattr(run, "prepare_for_run", fails)
    with pytest.raises(type(error)):
        sweep(small_grid(), lambda: backend)
    assert backend.noted == ["opened", "asked", "closed"]


def test_a_backend_that_cannot_give_a_pack_what_it_asks_for_is_closed(sweep, small_grid):
    backend = _Asked()
    with pytest.raises(InputError, match=r"resources\.labels"):
        sweep(small_grid("resources.labels={zone: b}"), lambda: backend)
    assert backend.noted == ["opened", "asked", "closed"]


def test_where_all_has_ended_no_backend_is_opened_unless_something_failed_or_was_damaged(sweep, small_grid):
    sweep(small_grid())
    never = lambda: pytest.fail("opened")  # noqa: E731
    _, directory = sweep(small_grid(), never)
    flip_a_byte(next(directory.rows.iterdir()))
    backend = _Asked()
    account, _ = sweep(small_grid(), lambda: backend)
    assert backend.noted[-2:] == ["run", "closed"]
    assert account.missing == 0
