"""Cost of settling: the rule of ``results.settling`` beside random choice, on recorded sweeps.

A recorded sweep holds many seeds and λ. A trial hides all but a few of them, draws an order of the seeds, and asks for
one claim. Each round adds an extension that the record holds, until the claim is decided or nothing is left to add. The
rule chooses as ``sweeper settle`` does. Random choice draws one of the same extensions. The cost is the epochs of the
points that were added, relative to the record. What stays undecided has cost all that could be added.

    sweeper run benchmarks/settling.yaml --tracking-uri none     # the record: 20 minutes of one core
    python benchmarks/settling.py runs/settling
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from results.analysis.findings import Findings, find
from results.claims.judge import Verdict, judge
from results.settling.choice import cheapest
from results.settling.design import design_of
from results.settling.extensions import Extension, extensions
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows
from search_spaces.points import make_points
from search_spaces.sections.grid import Grid
from sweeper.settle.rounds import MAX_TRIES

CLAIMS = ("scaling", "scaling_eta", "scaling_lam", "collapse", "small_lambda_ratio", "eta_independence")
Choice = Callable[[Verdict, Sequence[Extension], Findings], Extension | None]


class Record:
    """A recorded sweep, of which any part can be analyzed.

    Attributes:
        grid: its grid.
        points: one row a point.
    """

    def __init__(self, root: Path) -> None:
        """Read a sweep."""
        directory = SweepDir(root)
        self.grid = read_state(directory).required_grid()
        self.points = read_points(directory).astype({"point": str})
        self._rows = read_rows(directory).astype({"point": str})

    def select(self, grid: Grid, order: Sequence[int]) -> pd.DataFrame | None:
        """Return the points of a grid, whose seed k is the k-th of ``order``; None if the record lacks one."""
        wanted = pd.DataFrame([(p.eta, round(np.log(p.lam), 3) if p.lam else None, p.seed) for p in make_points(grid)])
        if wanted[2].max() >= len(order):
            return None
        wanted = wanted.set_axis(["eta", "log_lam", "seed"], axis=1)
        wanted["seed"] = [order[k] for k in wanted["seed"]]
        logs = np.log(self.points["lam"].where(self.points["lam"] > 0)).round(3)
        found = self.points.assign(log_lam=logs).merge(wanted, on=["eta", "log_lam", "seed"])
        return found.drop(columns="log_lam") if len(found) == len(wanted) else None

    def analyze(self, points: pd.DataFrame) -> Findings:
        """Analyze some points as if they were the sweep."""
        rows = self._rows[self._rows["point"].isin(points["point"])]
        return find(rows, points, self.grid.analysis.tolerance, ())


def by_rule(verdict: Verdict, candidates: Sequence[Extension], findings: Findings) -> Extension | None:
    """Choose as ``sweeper settle`` does."""
    return cheapest(verdict, candidates, design_of(findings.steady))[0]


def at_random(random: np.random.Generator) -> Choice:
    """Return a choice that draws one of the candidates."""
    return lambda verdict, candidates, findings: candidates[random.integers(len(candidates))] if candidates else None


def cost_to_decide(record: Record, start: Grid, order: Sequence[int], claim: str, choose: Choice) -> tuple[float, bool]:
    """Add points until a claim is decided.

    Args:
        record: the recorded sweep.
        start: the grid of the first points.
        order: the seeds, in the order in which they are drawn.
        claim: the claim.
        choose: chooses among the extensions.

    Returns:
        The epochs of the added points, and whether the claim was decided.
    """
    grid, cost, tries = start, 0.0, dict[str, int]()
    while True:
        points = record.select(grid, order)
        assert points is not None
        findings = record.analyze(points)
        verdict = next(v for v in judge(findings) if v.claim == claim)
        if verdict.verdict != "inconclusive":
            return cost, True
        limit = MAX_TRIES if choose is by_rule else 10**9
        lacks = [lack for lack in verdict.lacks if tries.get(lack, 0) < limit]
        found = [e for lack in lacks for e in extensions(grid, findings.steady, lack)]
        held = [e for e in found if record.select(e.grid, order) is not None]
        chosen = choose(verdict, held, findings)
        if chosen is None:
            return cost, False
        grid, cost = chosen.grid, cost + chosen.epochs
        tries[chosen.lack] = tries.get(chosen.lack, 0) + 1


def trials(record: Record, number: int) -> Iterator[tuple[str, float, bool, float, bool]]:
    """Yield for each trial the claim, then cost and success of the rule and of random choice."""
    lams = sorted(lam for lam in record.grid.axes["lam"] if isinstance(lam, float) and lam > 0)
    seeds = [int(seed) for seed in record.grid.axes["seed"]]
    axes = record.grid.axes | {"lam": tuple(lams[2:-1:2]), "seed": (0, 1)}
    start = record.grid.model_copy(update={"axes": axes})
    whole = float(record.points["budget"].sum())
    for trial in range(number):
        random = np.random.default_rng(trial)
        order = [seeds[k] for k in random.permutation(len(seeds))]
        for claim in CLAIMS:
            ruled, ruled_done = cost_to_decide(record, start, order, claim, by_rule)
            drawn, drawn_done = cost_to_decide(record, start, order, claim, at_random(random))
            if ruled or drawn:  # else it was decided from the start
                yield claim, ruled / whole, ruled_done, drawn / whole, drawn_done


def main() -> None:
    """Print cost and success of both, by claim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="recorded sweep")
    parser.add_argument("--trials", type=int, default=12)
    arguments = parser.parse_args()
    columns = ["claim", "rule", "rule_decided", "random", "random_decided"]
    table = pd.DataFrame(trials(Record(arguments.record), arguments.trials), columns=columns)
    table["ratio"] = table["random"] / table["rule"]
    decided = table[table["rule_decided"] | table["random_decided"]]  # the record itself leaves the others open
    parts = [*table.groupby("claim", sort=False), ("all", table), ("all that were decided", decided)]
    print(f"{'claim':22} trials  cost (share of the record): rule, random   ratio   decided: rule, random")
    for claim, part in parts:
        rule, random, ratio = (float(part[name].median()) for name in ("rule", "random", "ratio"))
        shares = f"{part['rule_decided'].mean():.0%}, {part['random_decided'].mean():.0%}"
        print(f"{claim:22} {len(part):6}  {rule:.3f}, {random:.3f}   {ratio:.1f}   {shares}")


if __name__ == "__main__":
    main()
