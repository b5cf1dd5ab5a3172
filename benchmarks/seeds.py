"""Verdicts of a sweep for other choices of its seeds: does a grid decide alike whichever seeds it has?

A recorded sweep holds many seeds. They are parted into groups of as many as the grid has, and each group is judged as a
sweep of its own.

    sweeper run grids/digits.yaml --name digits-60 --set "axes.seed=[$(seq -s, 0 59)]" --tracking-uri none
    python benchmarks/seeds.py runs/digits-60 --seeds 7
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from results.analysis.findings import find
from results.claims.judge import Verdict, judge
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from results.store.tables import read_points, read_rows


def verdicts_by_group(root: Path, seeds: int) -> Iterator[list[Verdict]]:
    """Yield the verdicts on each group of seeds, then those on all seeds together.

    Args:
        root: folder of the recorded sweep.
        seeds: number of seeds in a group.
    """
    directory = SweepDir(root)
    analysis = read_state(directory).required_grid().analysis
    points, rows = (table.astype({"point": str}) for table in (read_points(directory), read_rows(directory)))
    all_seeds = np.unique(points["seed"])
    groups = [all_seeds[first : first + seeds] for first in range(0, len(all_seeds) - seeds + 1, seeds)]
    for group in (*groups, all_seeds):
        own = points[points["seed"].isin(group)].reset_index(drop=True)
        own_rows = rows[rows["point"].isin(own["point"])]
        yield judge(find(own_rows, own, analysis.tolerance, analysis.budgets))


def main() -> None:
    """Print a row a claim: how many groups pass, fail or stay open, the values, and the verdict of all seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--seeds", type=int, required=True, help="seeds in a group")
    options = parser.parse_args()
    *groups, whole = verdicts_by_group(options.sweep, options.seeds)
    print(f"| claim | of {len(groups)} groups of {options.seeds} seeds | values | all seeds |")
    print("| --- | --- | --- | --- |")
    for last in whole:
        own = [verdict for group in groups for verdict in group if verdict.claim == last.claim]
        counts = Counter(verdict.verdict for verdict in own)
        told = ", ".join(f"{number} {name}" for name, number in counts.most_common())
        values = [verdict.value for verdict in own if verdict.value is not None]
        span = f"{min(values):.3g} to {max(values):.3g}" if values else ""
        value = "" if last.value is None else f" {last.value:.3g}"
        print(f"| `{last.claim}` | {told} | {span} | {last.verdict}{value} |")


if __name__ == "__main__":
    main()
