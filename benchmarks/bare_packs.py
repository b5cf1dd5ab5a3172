"""The bare packed training loop of a grid's plan, for benchmarks/overhead.py: no Ray, no store, no analysis."""

import argparse
import json
import time
from pathlib import Path

import torch

from search_spaces.plan import make_plan
from search_spaces.points import make_points, variants
from search_spaces.reading.load import load_grid
from search_spaces.recipe import recipe_of
from trainables.memory import keep_freed_memory
from trainables.profile import profile
from trainables.train import train_pack


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grid", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--worker", default="0/1", help="this process's share of the packs, I/N")
    arguments = parser.parse_args()
    index, workers = map(int, arguments.worker.split("/"))
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    grid = load_grid(arguments.grid.read_text(), str(arguments.grid), arguments.set)
    points = make_points(grid)
    profiles = {v: profile(recipe_of(grid, v)) for v in variants(points)}
    plan = make_plan(points, profiles, grid.measure, workers=workers)
    started = time.monotonic()
    for pack in share(plan, index, workers):
        for _event in train_pack(pack.points, recipe_of(grid, pack.points[0].variant)):
            pass
    print(json.dumps({"seconds": time.monotonic() - started}))


def share(plan, index, workers):
    """The packs of one process: longest first, each to the process with the least work."""
    loads, mine = [0.0] * workers, []
    for pack in plan.packs:
        least = loads.index(min(loads))
        loads[least] += pack.cost.flops
        mine += [pack] if least == index else []
    return mine


if __name__ == "__main__":
    main()
