"""The searches that people use today, each with its defaults, on recorded runs.

All look at λ between the ends of the table, log-uniformly, one run after the other, as on one machine. λ is taken from
a continuous range and its run is that of the nearest recorded λ.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from types import SimpleNamespace

import numpy as np

from searches.replay import Run
from searches.table import Table

PER_DECADE = 2  # λ of a grid
PERCENT = 100  # reports of a run to Ray Tune's schedulers: its steps in percent, their defaults' max_t = 100
# Percent of a run before the median rule may stop it. Its default is 60 in seconds, which mean nothing here.
GRACE = 10.0

Search = Callable[[Table, int, int], Iterator[Run]]
"""Runs of a search, from table, seed of its training and random state."""


def grid_falling(table: Table, _seed: int, _state: int) -> Iterator[Run]:
    """From the largest λ down: what is trained first tells most, as large λ peak early."""
    yield from map(Run, _grid(table)[::-1])


def grid_shuffled(table: Table, _seed: int, state: int) -> Iterator[Run]:
    """A grid in random order, as on a cluster."""
    yield from map(Run, np.random.default_rng(state).permutation(_grid(table)).tolist())


def grid_peaked(table: Table, seed: int, _state: int) -> Iterator[Run]:
    """The same with ``stop: peaked``, as a grid of sweeper has it: each run ends when it is past its maximum."""
    for index in _grid(table)[::-1]:
        yield Run(index, table.peaked(index, seed))


def random_search(table: Table, _seed: int, state: int) -> Iterator[Run]:
    """Log-uniform λ, one whole run each."""
    yield from map(Run, _random(table, state))


def tpe(table: Table, seed: int, state: int) -> Iterator[Run]:
    """Optuna's default sampler."""
    import optuna

    yield from _optuna(optuna.samplers.TPESampler(seed=state), table, seed)


def gaussian_process(table: Table, seed: int, state: int) -> Iterator[Run]:
    """Optuna's Gaussian process."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental
        sampler = optuna.samplers.GPSampler(seed=state)
    yield from _optuna(sampler, table, seed)


def asha(table: Table, seed: int, state: int) -> Iterator[Run]:
    """Random search with Ray Tune's asynchronous successive halving: rungs at 1, 4, 16 and 64 % of a run."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    yield from _scheduled(AsyncHyperBandScheduler(metric="accuracy", mode="max"), table, seed, state)


def median_rule(table: Table, seed: int, state: int) -> Iterator[Run]:
    """Random search with Ray Tune's median stopping rule."""
    from ray.tune.schedulers import MedianStoppingRule

    rule = MedianStoppingRule(time_attr="training_iteration", metric="accuracy", mode="max", grace_period=GRACE)
    yield from _scheduled(rule, table, seed, state)


# Name to search and random states of each seed, fewer where a search takes seconds instead of milliseconds.
PEERS: Mapping[str, tuple[Search, int]] = {
    "grid, from large λ": (grid_falling, 1),
    "sweeper, stop: peaked": (grid_peaked, 1),
    "grid, random order": (grid_shuffled, 40),
    "random": (random_search, 40),
    "Optuna TPE": (tpe, 40),
    "Optuna GP": (gaussian_process, 4),
    "Ray Tune ASHA": (asha, 8),
    "Ray Tune median rule": (median_rule, 8),
}


def _grid(table: Table) -> list[int]:
    decades = np.log10(table.lams[-1] / table.lams[0])
    return [table.nearest(lam) for lam in np.geomspace(*table.lams[[0, -1]], round(decades * PER_DECADE) + 1)]


def _random(table: Table, state: int) -> Iterator[int]:
    rng = np.random.default_rng(state)
    low, high = np.log(table.lams[[0, -1]])
    while True:
        yield table.nearest(np.exp(rng.uniform(low, high)))


def _optuna(sampler, table: Table, seed: int) -> Iterator[Run]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    low, high = table.lams[[0, -1]].tolist()
    while True:
        trial = study.ask()
        index = table.nearest(trial.suggest_float("lam", low, high, log=True))
        study.tell(trial, table.best(index, seed, 1.0))
        yield Run(index)


def _scheduled(scheduler, table: Table, seed: int, state: int) -> Iterator[Run]:
    """Ray Tune's scheduler, told what its controller would tell it, of trials that replay a curve.

    Starting Ray and its workers takes seconds a search, and there are thousands: so the scheduler's own interface is
    called, as ``ray.tune.execution.tune_controller`` calls it.
    """
    from ray.tune.experiment import Trial
    from ray.tune.schedulers import TrialScheduler

    controller = SimpleNamespace(get_live_trials=list)  # no trial waits: they come one by one
    for number, index in zip(count(), _random(table, state), strict=False):
        trial = Trial("replay", trial_id=f"{number:08d}", stub=True)
        scheduler.on_trial_add(controller, trial)
        for percent in range(1, PERCENT + 1):
            accuracy = table.latest(index, seed, percent / PERCENT)
            result = {"training_iteration": percent, "accuracy": accuracy}
            if scheduler.on_trial_result(controller, trial, result) == TrialScheduler.STOP:
                break
        scheduler.on_trial_complete(controller, trial, result)
        yield Run(index, percent / PERCENT)
