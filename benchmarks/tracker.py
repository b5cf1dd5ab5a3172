"""`sweeper track` of a sweep of many points into MLflow: on PostgreSQL behind a server, into PostgreSQL, into SQLite.

python benchmarks/tracker.py [--points 10000] [--only server --only postgresql --only sqlite] [--scratch FOLDER]

The sweep is load: rows of benchmarks/analysis.py, 200 a point, that nobody measured. All but one pack of it is tracked
and tracked again; then that pack appears, as in a sweep that runs, and `Mirror.sync` sends it. Everything shares
the machine: sender, server, database. Needs PostgreSQL (initdb, postgres) and psycopg2.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from analysis import MIB, make_sweep, measured  # noqa: E402
from servers_support import mlflow_server, postgres  # noqa: E402

ROWS = 200  # of a point
TARGETS = {"server": "MLflow server on PostgreSQL", "postgresql": "PostgreSQL", "sqlite": "SQLite"}


def opened(stack, target, folder):
    """An empty tracker; its URI."""
    if target == "sqlite":
        return f"sqlite:///{folder}/mlflow.db"
    uri = stack.enter_context(postgres(folder))
    return stack.enter_context(mlflow_server(uri, folder)) if target == "server" else uri


def servers():
    """(seconds of the processor, MiB) of MLflow's server, and of PostgreSQL; of those that run."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        name = "PostgreSQL" if "postgres" in process.name() else "MLflow server"
        cpu, mib = found.get(name, (0.0, 0.0))
        times, memory = process.cpu_times(), process.memory_info()
        own = memory.rss - (memory.shared if name == "PostgreSQL" else 0)  # which all of its processes count
        found[name] = (cpu + sum(times[:4]), mib + own / MIB)  # the last two are those of children that have ended
    return found


def requests_in(folder):
    """Requests that a server has logged."""
    log = folder / "mlflow-server.log"
    return len(re.findall(r'"(GET|POST|PUT|PATCH) /', log.read_text())) if log.is_file() else 0


def sync_here(root, uri, hidden):
    """Connect a mirror, let a pack appear, and send it; prints one line of JSON."""
    from results.store.sweep_dir import SweepDir
    from sweeper.tracking.mirror import Mirror

    mirror = Mirror(SweepDir(root), uri)
    mirror.sync()
    started = time.perf_counter()
    mirror.sync()
    idle = time.perf_counter() - started
    for path in hidden.iterdir():
        path.rename(root / "rows" / path.name)
    started = time.perf_counter()
    sent = mirror.sync()
    print(json.dumps({"idle": idle, "sent": sent, "seconds": time.perf_counter() - started}))


def hide_a_pack(root, hidden):
    """Put one of the largest packs aside; the number of points that are left."""
    from results.store.ledger import read_ends
    from results.store.sweep_dir import SweepDir

    largest = max((root / "rows").iterdir(), key=lambda path: path.stat().st_size)
    hidden.mkdir()
    for path in (root / "rows").glob(f"{largest.name.split('-')[0]}-*"):
        path.rename(hidden / path.name)
    return len(read_ends(SweepDir(root)))


def measure(target, root):
    """Track a sweep into one kind of tracker, and print what that took."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        uri = opened(stack, target, folder)
        hidden = root / "hidden"
        points = hide_a_pack(root, hidden)
        try:
            print(f"\n{TARGETS[target]}", flush=True)
            track = [sys.executable, "-m", "sweeper", "track", str(root), "--tracking-uri", uri]
            before, asked = servers(), requests_in(folder)
            seconds, processor, mib, _ = measured(track)
            after, asked = servers(), requests_in(folder) - asked
            print(f"  {60 * points / seconds:,.0f} points a minute, {seconds:.0f} s for {points:,}")
            if asked:
                print(f"  {asked / points:.2f} requests a point")
            print(f"  sender: {1000 * processor / points:.1f} ms of the processor a point, {mib:,.0f} MiB at most")
            for server, (cpu, memory) in after.items():
                each = 1000 * (cpu - before.get(server, (0.0, 0.0))[0]) / points
                print(f"  {server}: {each:.1f} ms of the processor a point, {memory:,.0f} MiB", flush=True)
            again = measured(track)
            print(f"  again, with nothing new: {again[0]:.1f} s, {again[2]:,.0f} MiB at most", flush=True)
            command = [sys.executable, __file__, "--root", str(root), "--uri", uri]
            told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            print(f"  a sync of {told['sent']} new points: {told['seconds']:.2f} s; of none: {told['idle']:.3f} s")
        finally:
            for path in hidden.iterdir():
                path.rename(root / "rows" / path.name)
            hidden.rmdir()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000, help="about so many: a square")
    parser.add_argument("--only", choices=list(TARGETS), action="append")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.root:
        return sync_here(options.root, options.uri, options.root / "hidden")
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="tracker-") as scratch:
        root = make_sweep(Path(scratch), round(options.points**0.5), 50_000, ROWS).root
        subprocess.run([sys.executable, "-m", "sweeper", "analyze", root], check=True, stdout=subprocess.DEVNULL)
        print(f"{os.cpu_count()} cores; {round(options.points**0.5) ** 2:,} points of {ROWS} rows, synthetic")
        for target in options.only or TARGETS:
            measure(target, root)
    return None


if __name__ == "__main__":
    main()
