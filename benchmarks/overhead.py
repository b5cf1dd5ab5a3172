"""What ``sweeper run`` costs beside plain Ray Tune and beside the bare training loop: the table of docs/performance.md.

    python benchmarks/overhead.py [--repeats 3] [--quick]

Every figure is a ratio of whole processes, run in turn on the same machine, medians over the repeats. MLflow is off
(the peers have none); everything else of ``sweeper run`` is on: plan, Parquet, analysis, figures, report.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
GRID = HERE.parent / "grids" / "digits.yaml"
DIGITS = ["measure={every: epoch}"]
THOUSAND = [
    "measure={every: epoch}",
    "axes.eta={log: [0.1, 10], num: 25}",
    "axes.lam={log: [1e-4, 1e-2], num: 40}",
    "budget={rule: fixed, constant: 50}",
    "analysis={budgets: [20, 50]}",
]


def run(command):
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return time.monotonic() - started


def options(settings):
    return [part for setting in settings for part in ("--set", setting)]


def sweep(settings, out):
    program = [sys.executable, "-m", "sweeper", "run", GRID, "--out", out, "--tracking-uri", "none"]
    return run([*program, *options(settings)])


def peer(settings, *flags):
    return run([sys.executable, HERE / "peer_tune.py", GRID, *options(settings), *flags])


def bare(settings):
    """The packs of the same plan in one process a core, nothing else: seconds from the first step to the last."""
    cores = os.cpu_count() or 1
    command = [sys.executable, HERE / "bare_packs.py", GRID, *options(settings)]
    processes = [
        subprocess.Popen([*command, "--worker", f"{i}/{cores}"], stdout=subprocess.PIPE, text=True)
        for i in range(cores)
    ]
    return max(json.loads(p.communicate()[0])["seconds"] for p in processes)


def compare(name, settings, repeats, peers):
    """Medians of each competitor's wall time, run in turn."""
    times = {"sweeper run": [], "bare packed loop": [], **{p: [] for p in peers}}
    for _ in range(repeats):
        out = Path(tempfile.mkdtemp(prefix="overhead-"))
        times["sweeper run"].append(sweep(settings, out))
        shutil.rmtree(out)
        times["bare packed loop"].append(bare(settings))
        for p in peers:
            times[p].append(peer(settings, *(["--best"] if "best" in p else [])))
    ours = statistics.median(times["sweeper run"])
    print(f"\n{name}")
    for competitor, seconds in times.items():
        middle = statistics.median(seconds)
        spread = f"{min(seconds):.1f} … {max(seconds):.1f}"
        print(f"  {competitor:24} {middle:8.1f} s ({spread})   ratio to sweeper run {middle / ours:6.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["digits", "thousand"])
    parser.add_argument("--skip-default", action="store_true", help="leave out Tune's defaults, which take long")
    arguments = parser.parse_args()
    peers = ["Tune at its best", *([] if arguments.skip_default else ["Tune, defaults"])]
    if arguments.only != "thousand":
        compare("digits grid, measured every epoch", DIGITS, arguments.repeats, peers)
    if arguments.only != "digits":
        compare("1,000 points of 50 epochs", THOUSAND, arguments.repeats, peers)


if __name__ == "__main__":
    main()
