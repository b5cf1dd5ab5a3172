"""What ``sweeper run`` costs beside plain Ray Tune and beside the bare training loop: the table of docs/performance.md.

    python benchmarks/overhead.py [--repeats 3] [--only digits|thousand]

Every figure is a ratio of whole processes, run in turn on the same machine, medians over the repeats. MLflow is off
(the peers have none); everything else of ``sweeper run`` is on: plan, Parquet, analysis, figures, report.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
GRID = HERE / "digits.yaml"
DIGITS = ["measure={every: epoch}"]
THOUSAND = [
    "measure={every: epoch}",
    "axes={eta: {log: [0.1, 10], num: 25}, lam: {log: [1e-4, 1e-2], num: 40}}",
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


def ray_startup():
    """Ray and Tune from nothing to two finished trials that import torch, and down again: paid once a sweep."""
    return run([sys.executable, HERE / "ray_startup.py"])


def defaults_of_many(settings, points):
    """Tune's defaults on many short trials, from 50 and 100 of them: each costs the same, and all would take hours."""
    few, more = (peer([*settings, f"axes.lam={{log: [1e-4, 1e-2], num: {n}}}"]) for n in (2, 4))
    return few + (more - few) / 50 * (points - 50)


def compare(name, settings, repeats, defaults):
    """Medians of each competitor's wall time, run in turn."""
    competitors = {
        "sweeper run": lambda: sweep(settings, Path(tempfile.mkdtemp(prefix="overhead-"))),
        "bare packed loop": lambda: bare(settings),
        "start-up of Ray and Tune": ray_startup,
        "Tune at its best": lambda: peer(settings, "--best"),
        "Tune, defaults": defaults,
    }
    times = {competitor: [] for competitor in competitors}
    for _ in range(repeats):
        for competitor, measure in competitors.items():
            times[competitor].append(measure())
    middle = {competitor: statistics.median(seconds) for competitor, seconds in times.items()}
    ours = middle["sweeper run"]
    print(f"\n{name}")
    for competitor, seconds in times.items():
        spread = f"{min(seconds):.1f} … {max(seconds):.1f}"
        print(
            f"  {competitor:24} {middle[competitor]:8.1f} s ({spread})   {middle[competitor] / ours:6.2f} × sweeper run"
        )
    share = (ours - middle["start-up of Ray and Tune"]) / middle["bare packed loop"]
    print(f"  sweeper run without the start-up of Ray is {share:.2f} × the bare packed loop", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["digits", "thousand"])
    arguments = parser.parse_args()
    if arguments.only != "thousand":
        name = "digits grid, measured every epoch"
        compare(name, DIGITS, arguments.repeats, lambda: peer(DIGITS))
    if arguments.only != "digits":
        name = "1,000 points of 50 epochs (Tune's defaults extrapolated from 50 and 100 points)"
        compare(name, THOUSAND, arguments.repeats, lambda: defaults_of_many(THOUSAND, 1000))


if __name__ == "__main__":
    main()
