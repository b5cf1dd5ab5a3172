"""``predict_lambda_for_loop``: what ``predict_lambda`` does, for a training loop that sweeper only calls.

::

    def train(lam, steps, report):
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=lam)
        for step in range(1, steps + 1):
            ...
            if step % 100 == 0 or step == steps:
                report(step, accuracy_on_validation_data(model))

    forecast = predict_lambda_for_loop(train, eta=1e-3, steps=20_000, optimizer="adamw", out="runs/mine")
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from results.forecast.forecast import Forecast, predicted
from results.forecast.posterior import Trial, accuracy_trial, loss_trial
from results.store.paths import any_path
from search_spaces.errors import InputError
from sweeper.predict.cautions import guess_caution, trial_cautions
from sweeper.predict.loop_trials import Mode, TrainLoop, TrialTable, is_real
from sweeper.predict.probe import FACTORS, MAX_RUNS, trial_lams, trial_share
from sweeper.predict.target import TYPICAL_DECAY_TIME, typical_lam

TABLE = "trials.csv"
MIN_STEPS = 10
_NO_TRIAL = "no trial ended with a finite value: this is a guess, and η may be too large"


def predict_lambda_for_loop(
    loop: TrainLoop,
    *,
    eta: float,
    steps: int,
    mu: float = 0.0,
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd",
    mean_eta: float = 1.0,
    mode: Mode = "max",
    samples: int = 1000,
    runs: float = 1.5,
    out: str | Path | None = None,
) -> Forecast:
    """Predict the best λ, torch's ``weight_decay``, for a run of a training loop of your own.

    The loop is called as ``loop(lam, n, report)`` for four λ, with n = (``runs`` - 1)/4 · ``steps``. It trains a new
    model for n steps, with its whole schedule, and calls ``report(step, value)``, at least at the end. The mean over
    the last tenth counts.

    Args:
        loop: your training loop.
        eta: η > 0, the first or largest learning rate.
        steps: optimizer steps of the run to come.
        mu: momentum μ of SGD, in [0, 1).
        optimizer: optimizer of the loop, for the λ to begin with.
        mean_eta: mean of η_t/η over a run: 1 at constant η, 0.5 with a cosine that ends at 0.
        mode: ``max``: the values are accuracies, 0 to 1. ``min``: they are losses > 0.
        samples: number of validation samples behind an accuracy, for its noise.
        runs: steps that the trials and the run to come may take, over those of one run, from 1 (no trial) to 5.
        out: folder that keeps the trials as a table, ``trials.csv``; the next call continues there.

    Raises:
        InputError: a parameter or a report cannot be used.
    """
    _check(eta, steps, mu, optimizer, mean_eta, runs)
    typical = typical_lam(optimizer, eta, mu, steps * mean_eta)
    length = max(1, round(trial_share(runs) * steps))
    began, table = time.monotonic(), TrialTable(None if out is None else any_path(out) / TABLE)
    trials = _trials(table, loop, typical, length, samples if mode == "max" else None) if runs > 1 else ()
    forecast = predicted(steps, typical, trials, timescale_at_one=(1 - mu) / eta, weight_decay_per_lam=1.0)
    return Forecast(
        unit="steps",
        measure="accuracy" if mode == "max" else "loss",
        trials=trials,
        budgets=(forecast,),
        cost=len(FACTORS) * length / steps if runs > 1 else 0.0,
        seconds=time.monotonic() - began,
        setup=getattr(loop, "__name__", type(loop).__name__),
        warnings=tuple(trial_cautions(trials, forecast)) if trials else (_NO_TRIAL if runs > 1 else guess_caution(),),
    )


def _trials(table: TrialTable, loop: TrainLoop, typical: float, length: int, samples: int | None) -> tuple[Trial, ...]:
    """Return the trials that ended with a finite value, by λ; ``samples`` is None for a loss."""
    trials = []
    for lam in trial_lams(typical):
        value = table.tail(loop, lam, length, "min" if samples is None else "max")
        if math.isfinite(value):
            trials.append(
                loss_trial(lam, length, value) if samples is None else accuracy_trial(lam, length, value, samples)
            )
    return tuple(trials)


def _check(eta: float, steps: int, mu: float, optimizer: str, mean_eta: float, runs: float) -> None:
    """Refuse parameters out of range."""
    _require("eta", eta, lambda v: v > 0, "a learning rate > 0")
    _require("steps", steps, lambda v: v >= MIN_STEPS and v == int(v), f"a whole number of steps >= {MIN_STEPS}")
    _require("mu", mu, lambda v: 0 <= v < 1, "a momentum >= 0 and < 1")
    _require("mean_eta", mean_eta, lambda v: 0 < v <= 1, "a mean > 0 and <= 1")
    _require("runs", runs, lambda v: 1 <= v <= MAX_RUNS, f"a number of runs >= 1 and <= {MAX_RUNS:g}")
    if optimizer not in TYPICAL_DECAY_TIME:
        raise InputError(f"optimizer: {optimizer!r} is not allowed: give {', '.join(map(repr, TYPICAL_DECAY_TIME))}.")


def _require(name: str, value: object, fits: Callable[[float], bool], allowed: str) -> None:
    """Refuse a parameter that is no finite number, or does not fit."""
    if not is_real(value) or not math.isfinite(value) or not fits(value):
        raise InputError(f"{name}: {value!r} is not allowed: give {allowed}.")
