"""The trained model of a point, for scripts."""

import pytest
from faults_support import flip_a_byte
from run_support import InterruptedBackend

from results.store.tables import read_rows
from search_spaces.errors import InputError
from search_spaces.outcome import Outcome
from sweeper.health.verify import inspect
from sweeper.weights import load_model
from trainables.task import task_of


def test_weights_that_are_kept_measure_as_the_last_row_says(sweep, small_grid):
    """Also of points whose pack was interrupted, and of those that ended before the others."""
    budget = "budget={rule: fixed, constant: 40, exceptions: [{eta: 0.1, lam: 0.1, epochs: 20}]}"
    axes = "axes={eta: [0.1, 1e6], lam: [0.01, 0.1]}"
    grid = small_grid("keep_weights=true", budget, axes, "recovery.commit_seconds=0")
    with pytest.raises(KeyboardInterrupt):
        sweep(grid, InterruptedBackend)
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
