import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from searches import peers
from searches.table import Table

ROOT = Path(__file__).parents[3]
LAMS = np.geomspace(1e-6, 1e-1, 51)


@pytest.fixture
def peaked():
    """Best at λ = 1e-3; of seed 0 the same from the first report on, in 64ths, which sum without rounding."""
    final = 1 - np.abs(np.arange(51) - 30) / 64
    steps = np.arange(1, 101)
    objective = np.stack([final[:, None] + 0.0 * steps, final[:, None] - 0.05 + 0.0005 * steps], axis=1)
    return Table(lams=LAMS, steps=steps, objective=objective, judged=final, last=final, unregularized=0.5, rate=1)


def runs(search, table, number=16, state=0):
    return list(islice(search(table, 0, state), number))


def test_a_grid_has_two_lams_a_decade_and_ends(peaked):
    falling = runs(peers.grid_falling, peaked)
    assert [run.index for run in falling] == list(range(50, -1, -5))
    shuffled = runs(peers.grid_shuffled, peaked)
    assert sorted(run.index for run in shuffled) == list(range(0, 51, 5))
    assert shuffled != runs(peers.grid_shuffled, peaked, state=1)


def test_random_search_covers_the_range_evenly(peaked):
    found = [run.index for run in runs(peers.random_search, peaked, 5000)]
    counts = np.bincount(found, minlength=51)
    assert counts[1:-1].min() > 50  # 100 are expected, and half as many at the ends
    assert {run.share for run in runs(peers.random_search, peaked)} == {1.0}


@pytest.mark.parametrize("name", ["tpe", "gaussian_process"])
def test_optuna_comes_near_the_maximum_and_repeats_itself(peaked, name):
    pytest.importorskip("optuna")
    search = getattr(peers, name)
    found = runs(search, peaked, 20)
    assert found == runs(search, peaked, 20)
    assert min(abs(run.index - 30) for run in found[10:]) <= 2  # the first ten are random


def test_asha_stops_at_its_rungs_what_is_not_in_the_best_quarter(peaked):
    pytest.importorskip("ray")
    found = runs(peers.asha, peaked, 40)
    assert {run.share for run in found} <= {0.01, 0.04, 0.16, 0.64, 1.0}
    assert found[0].share == 1.0  # nothing to compare it with
    seen: list[float] = []
    for run in found:  # at 1 % by hand: those below the upper quartile of what came before stop
        accuracy = peaked.objective[run.index, 0, 0]
        stopped = bool(seen) and accuracy < np.percentile(seen, 75)
        assert (run.share == 0.01) == stopped
        seen.append(accuracy)


def test_the_median_rule_stops_what_is_below_the_median_of_the_others_means(peaked):
    pytest.importorskip("ray")
    found = runs(peers.median_rule, peaked, 20)
    seen: list[tuple[float, int]] = []
    for run in found:  # curves are flat: a run's mean is its accuracy
        accuracy = peaked.objective[run.index, 0, 0]
        others = [[a for a, last in seen if last >= percent] for percent in range(10, 101)]
        stops = [i for i, them in enumerate(others, 10) if len(them) >= 3 and accuracy < np.median(them)]
        last = stops[0] if stops else 100
        assert run.share == last / 100
        seen.append((accuracy, last))
    assert any(last < 100 for _, last in seen)


@pytest.mark.slow
@pytest.mark.ray
def test_the_schedulers_stop_where_ray_tune_itself_stops(peaked, tmp_path):
    """The same trials, one after the other, in a real Tuner."""
    script = tmp_path / "real.py"
    script.write_text(REAL)
    found = runs(peers.asha, peaked, 20)
    command = [sys.executable, str(script), str(tmp_path), *(str(run.index) for run in found)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-len(found) :] == [f"{100 * run.share:g}" for run in found]


REAL = """
import os, sys
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0", "TUNE_MAX_PENDING_TRIALS_PG": "1"}
import numpy as np
import ray
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler

final = 1 - np.abs(np.arange(51) - 30) / 64

def replay(config):
    for _ in range(100):
        tune.report({"accuracy": float(final[config["index"]])})

ray.init(address="local", include_dashboard=False, num_cpus=1, log_to_driver=False)
trials = [{"number": i, "index": int(index)} for i, index in enumerate(sys.argv[2:])]
scheduler = AsyncHyperBandScheduler(metric="accuracy", mode="max")
config = tune.TuneConfig(scheduler=scheduler, max_concurrent_trials=1, reuse_actors=True)
run = tune.RunConfig(storage_path=sys.argv[1], verbose=0)
results = tune.Tuner(
    lambda config: replay(config["trial"]),
    param_space={"trial": tune.grid_search(trials)}, tune_config=config, run_config=run,
).fit()
found = sorted((r.config["trial"]["number"], r.metrics["training_iteration"]) for r in results)
print(*(iterations for _, iterations in found))
ray.shutdown()
"""
