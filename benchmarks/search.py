"""How many training steps until the chosen λ is as good as the finely tuned one: sweeper predict and today's searches.

    python benchmarks/search.py [--only digits] [--out runs/search] [--protocol test] [--device cuda]

needs the extra ``bench`` (pip install -e '.[bench]') for Optuna.

Every method trains the same model on the same images with the same budget T. For each set-up the grid
``benchmarks/searches/NAME.yaml`` is trained once, 10 values of λ per decade from 1e-6 to 0.1 (torch's weight_decay) and
several seeds, and measured twice: on a validation split and, the same runs again, on the test set. The searches then
replay on this table: a λ that they ask for is taken for the nearest recorded one, its steps are counted as if it had
been trained, and they see the validation accuracy of one seed. They search log-uniformly over all five decades, as
someone who does not know the answer, and may spend the steps of 16 runs. ``sweeper predict`` really trains its probe,
on the same training images and judged by the same validation images, within half a run, once for each seed; it costs
its steps and one run at λ_pred.

Incumbent: the λ with the best validation accuracy so far, after each run that is finished or stopped. Its gap is that
of the λ, not of its luck: the maximum test accuracy within T of the best recorded λ minus that of the incumbent, both
means over the seeds, smoothed over neighboring λ. The gap of the last weights is the same of the accuracy over the last
tenth of a run. (At the step where validation is best the gap would be the same with more noise, 0.2 % for digits.)
Where the test set holds the validation images, as that of digits, they are taken out of it. ``--protocol test`` is the
paper's: searches and probe see the test set too.

The set-ups in ``searches/held`` only report: their grids were written before any of them was trained, and no rule was
chosen on them. The others were chosen from their accuracies at λ = 0 and two λ a decade, before anything was searched
or predicted: λ matters by more than a per cent, and the best λ lies inside the range. The wide ResNet is for a GPU
(``--device cuda``): its table would take a CPU days.

``--out`` keeps the table (``sweeps/``), its replay (``peers-*.csv``) and the probes (``predict/``); what lies there is
not made again. To predict anew, remove ``OUT/predict`` and run the same command. Incumbents and figure are
``search-PROTOCOL.csv``, ``.png`` and ``.svg``; ``--from`` draws them again.
"""

import argparse
import functools
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from searches import peers, picture
from searches.replay import Found, incumbents
from searches.table import Table, by_test, by_validation, rows_of

from results.store.sweep_dir import SweepDir
from search_spaces.reading.load import load_grid
from search_spaces.sections.data import Digits
from search_spaces.sections.trainable import OwnTrainable

FOLDER = Path(__file__).parent / "searches"
SETUPS = {
    "digits": "Fully connected, digits",
    "mnist": "Fully connected, MNIST",
    "cnn": "CNN with momentum, digits",
    "wrn": "Wide ResNet, CIFAR-10",
    "held/text": "Held out: transformer, text",
    "held/norm": "Held out: CNN with batch norm, MNIST",
    "held/cifar": "Held out: CNN, CIFAR-10",
}
ON_CPU = ("digits", "mnist", "cnn")  # the others need a GPU for their tables
MOST = 16.0  # runs that a search may spend
RUNS = 1.5  # of predict, the run to come included
# Weight decay of the wide-ResNet paper and of countless scripts since; that of torch's AdamW.
DEFAULTS = {"sgd": 5e-4, "adamw": 1e-2}
ON_TEST = "trainable.data.validation=null"
TASK_ON_TEST = "trainable.arguments.part=test"  # of a task in searches/held
DIGITS = 1797


def sweeper(*arguments):
    """A command of sweeper; what it prints."""
    command = [sys.executable, "-m", "sweeper", *map(str, arguments)]
    places = os.pathsep.join([str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])])  # of the tasks
    environment = os.environ | {"PYTHONPATH": places}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}")
    return done.stdout


def options(settings):
    return [part for setting in settings for part in ("--set", setting)]


class SetUp:
    """A grid of this benchmark, and what is made of it below a folder."""

    def __init__(self, name, out, protocol, settings):
        self.name, self.out, self.protocol, self.settings = name, out, protocol, settings
        self.file = FOLDER / f"{name}.yaml"
        self.grid = load_grid(self.file.read_text(encoding="utf-8"), str(self.file), settings)
        self.on_test = TASK_ON_TEST if isinstance(self.grid.trainable, OwnTrainable) else ON_TEST

    @functools.cached_property
    def table(self) -> Table:
        """Its runs, trained if they are not there."""
        test = self._rows(f"{self.grid.name}-test", [self.on_test])
        (eta,), mu = self.grid.axes["eta"], getattr(self.grid.optimizer, "mu", 0.0)
        rate = float(eta) / (1 - mu)
        if self.protocol == "test":
            return by_test(test, rate)
        data = getattr(self.grid.trainable, "data", None)
        shared, held_out = (DIGITS - data.train, data.validation) if isinstance(data, Digits) else (0, 0)
        return by_validation(self._rows(self.grid.name, []), test, rate=rate, shared=shared, held_out=held_out)

    def _rows(self, name, settings):
        out, seeds = self.out / "sweeps", self.grid.axes["seed"]
        directory = SweepDir(out / name)
        if not directory.report.is_file() or set(seeds) - set(rows_of(directory)["seed"]):
            chosen = options([*self.settings, *settings])
            sweeper("run", self.file, "--name", name, "--out", out, "--tracking-uri", "none", *chosen)
        rows = rows_of(directory)
        return rows[rows["seed"].isin(seeds)]

    def peers(self) -> pd.DataFrame:
        """Incumbents of all searches, replayed once."""
        path = self.out / f"peers-{self.grid.name}-{self.protocol}-{self.table.seeds}.csv"
        if not path.is_file():
            self._frame(self._searches()).to_csv(path, index=False)
        return pd.read_csv(path)

    def _searches(self) -> Iterator[tuple[str, int, int, Found]]:
        for method, (search, states) in peers.PEERS.items():
            print(f"{self.name}: {method}", file=sys.stderr, flush=True)
            for seed in range(self.table.seeds):
                for state in range(states):
                    runs = search(self.table, seed, seed * states + state)
                    for found in incumbents(runs, self.table, seed, MOST):
                        yield method, seed, state, found

    def single(self) -> pd.DataFrame:
        """Methods that name one λ, which is then trained once."""
        return self._frame(self._named())

    def _named(self) -> Iterator[tuple[str, int, int, Found]]:
        budget = self.grid.budget.constant
        guess = json.loads(
            sweeper("predict", self.file, "--budget", budget, "--dry", "--json", *options(self.settings))
        )
        guessed = guess["budgets"][0]["lam"]
        default = DEFAULTS[self.grid.optimizer.name]
        yield f"λ = {default:g}, the default", 0, 0, Found(1.0, self.table.nearest(default))
        yield "sweeper predict --dry", 0, 0, Found(1.0, self.table.nearest(guessed))
        for seed in range(self.table.seeds):
            forecast = self._forecast(seed, budget)
            lam = forecast["budgets"][0]["lam"]
            yield "sweeper predict", seed, 0, Found(1 + forecast["cost"], self.table.nearest(lam))

    def _forecast(self, seed, budget):
        """Answer of ``sweeper predict`` to one seed; its probe is trained."""
        folder = self.out / "predict" / f"{self.grid.name}-{self.protocol}-{seed}"
        answer = folder / "forecast.json"
        if not answer.is_file():
            settings = [*self.settings, f"axes.seed=[{seed}]", *([self.on_test] if self.protocol == "test" else [])]
            where = ["--out", folder, "--tracking-uri", "none", "--backend", "inprocess"]
            chosen = ["--budget", budget, "--runs", RUNS, "--json", *where, *options(settings)]
            said = sweeper("predict", self.file, *chosen)
            folder.mkdir(parents=True, exist_ok=True)
            answer.write_text(said, encoding="utf-8")
        return json.loads(answer.read_text(encoding="utf-8"))

    def _frame(self, found) -> pd.DataFrame:
        table = self.table
        rows = [
            {
                "setup": self.name,
                "method": method,
                "seed": seed,
                "state": state,
                "spent": f.spent,
                "lam": table.lams[f.index],
                "gap": table.gaps[f.index],
                "gap_last": table.gaps_of_last[f.index],
            }
            for method, seed, state, f in found
        ]
        return pd.DataFrame(rows)

    def stake(self) -> str:
        """What the choice of λ is worth."""
        table = self.table
        best = table.judged.argmax()
        good = table.lams[table.gaps <= picture.ENOUGH]
        return (
            f"{SETUPS[self.name]}: best λ {table.lams[best]:.2g} with {table.judged[best]:.4f}, λ = 0 "
            f"{table.judged[best] - table.unregularized:.4f} below it, λ within {picture.ENOUGH:g}: {good.min():.2g} "
            f"to {good.max():.2g} ({len(good)} of {len(table.lams)})"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SETUPS, action="append", help="these set-ups alone; repeatable")
    parser.add_argument("--seeds", type=int, help="runs of each λ  [default: as in the grid]")
    parser.add_argument("--protocol", choices=["validation", "test"], default="validation", help="what searches see")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/search"), help="folder of everything that is made")
    parser.add_argument("--from", type=Path, dest="csv", help="only draw and tabulate this CSV")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    if arguments.csv:
        incumbent = pd.read_csv(arguments.csv)
    else:
        if importlib.util.find_spec("optuna") is None:
            sys.exit("Optuna is not installed, which this benchmark compares with: pip install -e '.[bench]'")
        settings = ["resources.gpus_per_pack=1"] if arguments.device == "cuda" else []
        if arguments.seeds:
            settings.append(f"axes.seed={list(range(arguments.seeds))}")
        chosen = arguments.only or (ON_CPU if arguments.device == "cpu" else SETUPS)
        setups = [SetUp(name, out, arguments.protocol, settings) for name in chosen]
        incumbent = pd.concat([part for s in setups for part in (s.peers(), s.single())], ignore_index=True)
        for setup in setups:
            print(setup.stake())
    titles = {name: SETUPS[name] for name in dict.fromkeys(incumbent["setup"])}
    print(picture.markdown(incumbent, titles))
    picture.draw(incumbent, titles, MOST, out / f"search-{arguments.protocol}.png")


if __name__ == "__main__":
    main()
