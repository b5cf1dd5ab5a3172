"""The peer: the same grid as a plain Ray Tune script, one Ray trial a point, as its documentation shows it.

Run as a program of its own, so that each measurement starts from nothing:

    python benchmarks/peer_tune.py GRID [--set a.b=v] [--best]

``--best`` is Tune at its best for such small trials: loggers off, actors reused, one report a trial with the whole
history in it, few pending trials. Without it Tune's defaults apply and every epoch is reported, so that it is stored.
The training loop is the usual one: ``nn.Sequential``, ``torch.optim.SGD``, an evaluation on both sets an epoch.
"""

import argparse
import os
import tempfile
from itertools import pairwise
from pathlib import Path

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
BEST = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0", "TUNE_MAX_PENDING_TRIALS_PG": "3"}


def train(config):
    import math

    import torch
    from ray import tune
    from sklearn.datasets import load_digits
    from torch import nn

    torch.set_num_threads(1)
    if "data" not in CACHE:
        import numpy as np

        images, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(labels))
        x = torch.tensor(images[order], dtype=torch.float32)
        y = torch.tensor(labels[order])
        n = config["train"]
        x = (x - x[:n].mean()) / x[:n].std()
        CACHE["data"] = x[:n], y[:n], x[n:], y[n:]
    x_train, y_train, x_test, y_test = CACHE["data"]
    generator = torch.Generator().manual_seed(0)
    widths = [64] + [config["width"]] * config["depth"] + [10]
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out)
        nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in), generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=config["eta"], weight_decay=config["lam"])
    cross_entropy = nn.functional.cross_entropy
    history = []
    for epoch in range(1, config["steps"] + 1):
        optimizer.zero_grad()
        (cross_entropy(model(x_train), y_train) * config["scale"]).backward()
        optimizer.step()
        if epoch not in config["measured"]:
            continue
        with torch.no_grad():
            row = {"epoch": epoch, "weight_norm": sum(float(p.square().sum()) for p in model.parameters())}
            for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
                logits = model(x)
                row[f"{name}_loss"] = float(cross_entropy(logits, y)) * config["scale"]
                row[f"{name}_acc"] = float((logits.argmax(1) == y).float().mean())
        if config["best"]:
            history.append(row)
        else:
            tune.report(row)
    if config["best"]:
        import pandas as pd

        path = Path(config["out"]) / f"{tune.get_context().get_trial_id()}.parquet"
        pd.DataFrame(history).assign(eta=config["eta"], lam=config["lam"]).to_parquet(path)
        tune.report(history[-1])


CACHE: dict = {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("grid", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--best", action="store_true")
    arguments = parser.parse_args()
    os.environ.update(QUIET | (BEST if arguments.best else {}))

    import ray
    from ray import tune

    from search_spaces.points import make_points
    from search_spaces.reading.load import load_grid

    grid = load_grid(arguments.grid.read_text(), str(arguments.grid), arguments.set)
    out = tempfile.mkdtemp(prefix="peer-")
    spec = grid.trainable
    shared = {
        "train": spec.data.train,
        "width": spec.model.width,
        "depth": spec.model.depth,
        "scale": 1 / 20 if spec.loss.scale == "paper" else 1.0,
        "best": arguments.best,
        "out": out,
    }
    points = sorted(make_points(grid), key=lambda p: -p.budget)
    trials = []
    for p in points:
        steps = max(1, -int(-p.budget // 1))
        trials.append(shared | {"eta": p.eta, "lam": p.lam, "steps": steps, "measured": range(1, steps + 1)})
    ray.init(address="local", include_dashboard=False, num_cpus=os.cpu_count(), log_to_driver=False)
    tuner = tune.Tuner(
        tune.with_resources(train_index(trials), {"cpu": 1}),
        param_space={"index": tune.grid_search(list(range(len(trials))))},
        tune_config=tune.TuneConfig(reuse_actors=True) if arguments.best else None,
        run_config=tune.RunConfig(storage_path=out, verbose=0 if arguments.best else 1),
    )
    result = tuner.fit()
    assert not result.errors, result.errors
    print(f"{len(result)} trials, {sum(t['steps'] for t in trials)} steps, into {out}")


def train_index(trials):
    def trainable(config):
        train(trials[config["index"]])

    return trainable


if __name__ == "__main__":
    main()
