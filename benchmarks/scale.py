"""A sweep of 10,000 points on many Ray nodes of one machine: the figures of "Scale" in docs/performance.md.

    python benchmarks/scale.py [--points 10000] [--nodes 12] [--cpus 1] [--seconds 400] [--planned 100000]

A point sleeps in proportion to its steps, of which there are constant/(ηλ), over four decades. So what is busy is
what is measured, the driver and the workers around the training, and every pack is one point, the most that there can
be to do. Times come from the files of the sweep: a worker that takes up a pack makes one in attempts/, one that is done
commits a part. CPU and memory of the driver come from /proc, from when the first twentieth of the points has ended
(before that it imports modules) to the last end.

Four parts: planning alone; what a worker imports; a sweep undisturbed; one of the same points, faster, that is killed
when half of them have ended, and run again.
"""

import argparse
import contextlib
import io
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from rich.console import Console  # noqa: E402

from results.store.ledger import read_ends  # noqa: E402
from results.store.sweep_dir import SweepDir  # noqa: E402
from search_spaces.points import make_points  # noqa: E402
from search_spaces.reading.load import load_grid  # noqa: E402
from trainables.own_loop import Measured  # noqa: E402

GRID = """
name: {name}
trainable:
  loop: scale:naps
  arguments: {{seconds: {seconds}}}
axes:
  eta: {{log: [0.1, 10], num: {eta}}}
  lam: {{log: [1e-4, 1e-2], num: {lam}}}
  seed: [0, 1, 2, 3, 4]
budget: {{rule: inverse_eta_lam, constant: 0.1}}
"""
SEEDS = 5  # of the grid
PER_DECADE = 8  # measurements
WARM = 0.05  # of the points: what the driver imports meanwhile is not what they cost
FASTER = 0.3  # of the seconds of a step, in the sweep that is killed
PERIOD = 0.2  # seconds between looks at the driver
STORE = 80 * 2**20  # bytes of a node's object store, the least that Ray takes: nothing is in it


def naps(point, device, seconds):
    """A training that sleeps ``seconds`` a step and is at its best at ηλt = 0.05, half of its budget."""
    last = steps_of(point)
    measurements = math.ceil(PER_DECADE * math.log10(last))
    steps = sorted({math.ceil(last * 10 ** (-k / PER_DECADE)) for k in range(measurements + 1)})
    for before, step in pairwise([0, *steps]):
        time.sleep(seconds * (step - before))
        accuracy = max(0.0, 1 - 0.1 * math.log10(step * point.eta * point.lam / 0.05) ** 2)
        yield Measured(
            step=step, epoch=step, train_acc=1.0, test_acc=accuracy, train_loss=0.0, test_loss=1.0 - accuracy
        )


def steps_of(point):
    return max(1, math.ceil(round(point.budget, 9)))


def grid_of(name, points, seconds):
    """The text of a grid of so many points whose steps take ``seconds`` each."""
    eta = 20 if points >= 1000 else 4
    return GRID.format(name=name, seconds=seconds, eta=eta, lam=points // (eta * SEEDS))


def say(what, number, unit, more=""):
    print(f"  {what:56} {number:10,.2f} {unit}" + f"   {more}" * bool(more), flush=True)


def timed(what, action):
    """Say what ``action`` took; what it returns."""
    started, cpu = time.perf_counter(), time.process_time()
    result = action()
    say(what, time.perf_counter() - started, "s", f"{time.process_time() - cpu:.2f} s of CPU")
    return result


def before_training(directory, grid, workers):
    """What a run does before its first pack starts, step by step."""
    from results.store.state import read_state
    from sweeper.backends.capacity import Capacity
    from sweeper.driver.conflicts import refuse_conflicts
    from sweeper.driver.planning import continued_plan, store_plan
    from sweeper.driver.spec import RunSpec
    from sweeper.health.recovery import prepare_for_run
    from trainables.profile import profiles_of

    points = timed("make_points", lambda: make_points(grid))
    before = timed("read_state", lambda: read_state(directory))
    timed("refuse_conflicts", lambda: refuse_conflicts(grid, points, before))
    profiles = timed("profiles_of", lambda: profiles_of(grid, points))
    spec = RunSpec(grid=grid, points=points, profiles=profiles)
    console = Console(file=io.StringIO())
    repaired = timed("prepare_for_run", lambda: prepare_for_run(before, grid, points, console))
    plan = timed("continued_plan", lambda: continued_plan(spec, repaired, Capacity(workers=workers)))
    timed("store_plan", lambda: store_plan(spec, repaired, plan))


def planning(count, workers):
    """A new sweep, to where its plan is written."""
    text = grid_of("planned", count, 1.0)
    print(f"\nPlanning {count:,} points")
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        directory = SweepDir(Path(folder) / "planned")
        grid = timed("load_grid", lambda: load_grid(text, "scale.yaml"))
        timed("all that follows", lambda: before_training(directory, grid, workers))
        say("plan.json", directory.plan.stat().st_size / 2**20, "MiB")


def worker_imports():
    """CPU and memory of what every worker imports."""
    code = (
        "import resource, sweeper.backends.ray.tune\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE.parent)
    seconds, mib = map(float, done.stdout.split())
    print("\nA worker's imports")
    say("CPU", seconds, "s", f"{mib:,.0f} MiB resident")


@contextlib.contextmanager
def cluster(nodes, cpus):
    """A Ray cluster of a head without CPUs and so many nodes on this machine, on loopback; its address."""
    import sweeper.backends.ray  # noqa: F401, I001 - first: for the environment that keeps Ray on loopback
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parent)])  # for the workers, which need this file
    started = time.monotonic()
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=cpus, object_store_memory=STORE)
        print(f"\nA cluster of {nodes} nodes of {cpus} workers, started in {time.monotonic() - started:.0f} s")
        yield made.address
    finally:
        made.shutdown()


class Driver:
    """``sweeper run`` as a process that is looked at while it runs."""

    def __init__(self, text, out, address):
        file, self._log = out / "scale.yaml", out / "log"
        file.write_text(text)
        command = [sys.executable, "-m", "sweeper", "run", file, "--out", out, "--address", address]
        self.started, self._samples = time.time(), []
        with self._log.open("w") as log:
            self.process = subprocess.Popen([*command, "--tracking-uri", "none"], stdout=log, stderr=log)
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self):
        tick = os.sysconf("SC_CLK_TCK")
        folder = Path(f"/proc/{self.process.pid}")
        while self.process.poll() is None:
            with contextlib.suppress(OSError, IndexError, StopIteration):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                lines = (folder / "status").read_text().splitlines()
                own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
                self._samples.append((time.time(), (int(fields[11]) + int(fields[12])) / tick, own))
            time.sleep(PERIOD)

    def at(self, moment):
        """(CPU seconds so far, KiB of memory of its own) at a time."""
        return self._samples[max(0, bisect_right([when for when, _, _ in self._samples], moment) - 1)][1:]

    def wait(self):
        """To its end, which must be a good one; what it said."""
        status, said = self.process.wait(), self._log.read_text()
        if status:
            sys.exit(f"sweeper run ended with status {status}:\n{said[-4000:]}")
        return said


class Span:
    """When packs were taken up and committed since a moment, as the files of the sweep say."""

    def __init__(self, directory, since=0.0):
        claims, commits = (self._times(folder, since) for folder in (directory.attempts, directory.rows))
        self.claims = [when for when, _ in claims]
        began = {pack: when for when, pack in reversed(claims)}
        done = {pack: when for when, pack in commits}
        self.ends = sorted(done.values())
        self.busy = sum(when - began[pack] for pack, when in done.items())  # seconds that workers had packs

    @staticmethod
    def _times(folder, since):
        files = sorted((file.stat().st_mtime, file.name) for file in folder.glob("[!.]*"))
        return [(when, name.partition("-")[0]) for when, name in files if when >= since]


def undisturbed(text, out, address, workers):
    """A sweep from its start to its end."""
    grid = load_grid(text, "scale.yaml")
    points, directory = make_points(grid), SweepDir(out / grid.name)
    sleeps = [steps_of(p) * grid.trainable.arguments["seconds"] for p in points]
    print(f"\nUndisturbed: {len(points):,} points of {min(sleeps):.2g} to {max(sleeps):.3g} s, {workers} workers")
    driver = Driver(text, out, address)
    said = driver.wait()
    ended, span, planned = time.time(), Span(directory), directory.plan.stat().st_mtime
    assert len(read_ends(directory)) == len(points)
    began, last = span.claims[0], span.ends[-1]
    makespan, bound = last - began, max(*sleeps, sum(sleeps) / workers)
    beside, between = span.busy - sum(sleeps), makespan * workers - span.busy
    say("from the command to plan.json", planned - driver.started, "s")
    say("from plan.json to the first pack", began - planned, "s")
    say("until every worker has had one", span.claims[workers - 1] - began, "s")
    say("makespan, from the first pack to the last commit", makespan, "s")
    say("bound, the longest sleep or all sleep/workers", bound, "s", f"makespan is {makespan / bound:.3f} x the bound")
    say("of workers' time asleep", 100 * sum(sleeps) / (makespan * workers), "%")
    say("a pack beside its sleep", 1000 * beside / len(points), "ms", "on its worker: read, write, report")
    say("a worker between two packs", 1000 * between / len(points), "ms", "and at both ends of the sweep")
    driver_costs(driver, span, directory)
    say("from the last commit to the end of the command", ended - last, "s")
    files = [file for file in directory.root.rglob("*") if file.is_file()]
    say("stored", sum(file.stat().st_size for file in files) / 2**20, "MiB", f"{len(files):,} files")
    print("  it said: " + next((line for line in said.splitlines() if line.startswith("trained in")), "nothing"))


def driver_costs(driver, span, directory):
    """CPU and memory of the driver while all packs but the first twentieth ended."""
    import pyarrow.dataset as ds

    first = int(WARM * len(span.ends))
    (cpu, memory), (cpu_then, memory_then) = driver.at(span.ends[-1]), driver.at(span.ends[first])
    packs, seconds = len(span.ends) - first - 1, span.ends[-1] - span.ends[first]
    rows = ds.dataset(directory.rows, format="parquet").count_rows()
    say("driver's CPU", 1000 * (cpu - cpu_then) / packs, "ms a pack", f"{(cpu - cpu_then) / seconds:.2f} cores")
    say("  the same", 1000 * (cpu - cpu_then) / packs * len(span.ends) / rows, "ms a row", f"{rows:,} rows")
    say("driver's memory", (memory - memory_then) / packs, "KiB a point", f"{memory / 1024:.0f} MiB at the last end")


def analysis(directory):
    """What follows the last pack."""
    from results.conclude import conclude
    from results.store.state import read_state

    timed("of that, import results.analyze", lambda: __import__("results.analyze"))
    state = timed("of that, read_state", lambda: read_state(directory))
    timed("of that, conclude", lambda: conclude(state))


def continued(text, out, address, workers):
    """A sweep whose driver is killed when half of its points have ended, and run again to its end."""
    grid = load_grid(text, "scale.yaml")
    points, directory = make_points(grid), SweepDir(out / grid.name)
    driver = Driver(text, out, address)
    while len(list(directory.rows.glob("*.parquet"))) < len(points) / 2:
        if driver.process.poll() is not None:
            sys.exit("The sweep has ended before it could be killed.")
        time.sleep(PERIOD)
    driver.process.kill()
    driver.process.wait()
    time.sleep(2.0)  # in which the workers of a driver that is gone leave
    print(f"\nKilled with {len(read_ends(directory)):,} of {len(points):,} points ended; of a copy, what follows takes")
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        copy = SweepDir(Path(folder) / directory.name)
        shutil.copytree(directory.root, copy.root)
        before_training(copy, grid, workers)
    os.sync()  # the copy is not to be written to the disk while the command reads there
    again = Driver(text, out, address)
    again.wait()
    planned = directory.plan.stat().st_mtime
    say("run again: from the command to plan.json", planned - again.started, "s")
    say("run again: from the command to the first pack", Span(directory, planned).claims[0] - again.started, "s")
    assert len(read_ends(directory)) == len(points)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("--cpus", type=int, default=1, help="workers of a node, half a GiB each")
    parser.add_argument("--seconds", type=float, default=400.0, help="that each worker sleeps in the undisturbed sweep")
    parser.add_argument("--planned", type=int, default=100_000, help="points that are planned only")
    parser.add_argument("--only", choices=["planning", "undisturbed", "continued"])
    parser.add_argument("--scratch", type=Path, help="folder for the sweeps, which then stay")
    arguments = parser.parse_args()
    workers = arguments.nodes * arguments.cpus
    steps = sum(steps_of(p) for p in make_points(load_grid(grid_of("all", arguments.points, 1.0), "scale.yaml")))
    seconds = arguments.seconds * workers / steps
    if arguments.only in {None, "planning"}:
        for count in (arguments.points, arguments.planned):
            planning(count, workers)
        worker_imports()
    if arguments.only == "planning":
        return
    with contextlib.ExitStack() as stack:
        out = arguments.scratch or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
        out.mkdir(parents=True, exist_ok=True)
        address = stack.enter_context(cluster(arguments.nodes, arguments.cpus))
        if arguments.only in {None, "undisturbed"}:
            undisturbed(grid_of("undisturbed", arguments.points, seconds), out, address, workers)
            analysis(SweepDir(out / "undisturbed"))
        if arguments.only in {None, "continued"}:
            continued(grid_of("continued", arguments.points, FASTER * seconds), out, address, workers)


if __name__ == "__main__":
    main()
