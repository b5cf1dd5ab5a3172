"""Analysis of up to 10⁸ measurements with known truth, beside the plain pandas way.

python benchmarks/analysis.py [--scratch FOLDER] [--rows 1e6 --rows 1e7 --rows 1e8] [--part-rows 50000]

Makes sweep directories as workers write them (packs of at most 50 points, 10,000 measurements a point, parts of so many
rows), then measures `sweeper analyze` on each in a process of its own, and a pandas script for t*, slope and κ. The
largest takes 1.5 GB of disk under the scratch folder; each is removed before the next is made.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

MEASUREMENTS = 10_000  # of a point
PACK = 50  # points, at most
TOLERANCE = 0.005
DECAY_TIME = 2.0  # of every run
KAPPA, SPREAD = 0.5, 0.2  # truth: decay time at t*, and the standard deviation of its logarithm
# Accuracy is TOP at its maximum, a Gaussian in log s: RISE wide before it, 1 after, over a span of LIFT.
TOP, LIFT, RISE = 0.95, 0.85, 2.0
STAR = float(np.exp(-RISE * np.sqrt(-2 * np.log1p(-TOLERANCE / LIFT))))  # decay time at t* over that at the maximum
STEPS_PER_EPOCH = 16
STARTER = """
import os, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], check=False)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(); print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(done.returncode)
"""
IMAGES = 10_000  # of the test set: accuracies are multiples of one image
MIB = 2**20


# ------------------------------------------------------------------------------------------ generation


def grid_of(side):
    """A grid of side × side points, T ∝ 1/(ηλ); the longest are cut short, so that some t* are only bounds."""
    from search_spaces.reading.load import load_grid

    return load_grid(
        f"""
name: synthetic-{side}x{side}
trainable:
  model: {{name: fc, width: 64, depth: 3}}
  data: {{name: digits, train: 512}}
  loss: {{name: softmax}}
  batch: 32
axes:
  eta: {{log: [0.01, 0.3], num: {side}}}
  lam: {{log: [1e-5, 3e-4], num: {side}}}
budget: {{rule: inverse_eta_lam, constant: {DECAY_TIME / STEPS_PER_EPOCH}, max: 2.5e5}}
measure: {{log: 60}}
analysis: {{tolerance: {TOLERANCE}, budgets: [3e3, 1e4, 3e4, 1e5, 3e5]}}
""",
        "grid",
    )


def make_sweep(folder, side, part_rows, measurements=MEASUREMENTS):
    """Write a sweep directory of side² points, each measured so often; returns it."""
    from results.store.state import read_state
    from results.store.sweep_dir import SweepDir
    from search_spaces.points import make_points
    from sweeper.driver.planning import NOTHING_TO_TRAIN, store_plan
    from sweeper.driver.spec import RunSpec

    grid = grid_of(side)
    points = sorted(make_points(grid), key=lambda p: (-p.budget, p.id))
    directory = SweepDir(folder / grid.name)
    spec = RunSpec(grid=grid, points=points, profiles={})
    store_plan(spec, read_state(directory), NOTHING_TO_TRAIN)
    packs, last = [], None
    for point in points:  # one pack holds points of one budget: they are measured at the same steps
        steps = round(point.budget * STEPS_PER_EPOCH)
        if last is None or abs(steps - last) > 1e-6 * steps or len(packs[-1]) == PACK:
            packs.append([])
        packs[-1].append(point)
        last = steps
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        write = partial(write_pack, directory, part_rows, measurements)
        list(pool.map(write, range(len(packs)), packs))
    return directory


def write_pack(directory, part_rows, measurements, number, points):
    """The parts of one pack: rows by step, its points side by side, as ``sweeper.worker.pack_writer`` writes them."""
    from results.store.commits import Commit, PointEnd
    from results.store.part_names import PartName
    from results.store.parts import write_part
    from search_spaces.outcome import Outcome

    rng = np.random.default_rng(number)
    pack = f"{number:012d}"
    kappa = KAPPA * np.exp(SPREAD * rng.standard_normal(len(points)))
    last = min(int(p.budget * STEPS_PER_EPOCH) for p in points)
    steps = np.linspace(last / measurements, last, measurements).astype(np.int64)
    ends = [
        PointEnd(point=p.id, pack=pack, attempt=0, outcome=Outcome.COMPLETED, steps=last, seconds=1.0, kappa=k)
        for p, k in zip(points, kappa.tolist(), strict=True)
    ]
    some = max(1, part_rows // len(points))
    names: list[PartName] = []
    for first in range(0, measurements, some):
        table = rows_of(directory, pack, points, kappa, steps[first : first + some], rng)
        last_one = first + some >= measurements
        commit = Commit(ends=tuple(ends) if last_one else (), finished=last_one)
        names.append(write_part(directory, pack, 0, names, table, commit))


def rows_of(directory, pack, points, kappa, steps, rng):
    """Measurements of a pack at some steps (n), n times P rows."""
    import pyarrow as pa

    from results.store.schema import row_schema

    n, p = len(steps), len(points)
    member = np.tile(np.arange(p), n)
    step = np.repeat(steps, p)
    eta, lam = (np.array([getattr(point, name) for point in points]) for name in ("eta", "lam"))
    s = step * (eta * lam)[member]
    log_u = np.log(s / (kappa / STAR)[member])
    acc = TOP - LIFT * -np.expm1(-((log_u / np.where(log_u < 0, RISE, 1.0)) ** 2) / 2)
    # Noise where accuracy moves, none at the maximum nor before learning, whose noise a short probe takes for a peak.
    acc += 0.02 * (TOP - acc) * (acc - TOP + LIFT) / LIFT * rng.standard_normal(len(s))

    def rough(values, spread=0.01):
        return (values * (1 + spread * rng.standard_normal(len(values)))).astype(np.float32)

    numbers = {
        "seed": np.zeros(len(s), np.int64),
        "eta": eta[member],
        "lam": lam[member],
        "mu": np.zeros(len(s)),
        "budget": np.array([point.budget for point in points])[member],
        "step": step,
        "epoch": step / STEPS_PER_EPOCH,
        "decay_time": s,
        "eta_t": eta[member],
        "lam_t": lam[member],
        "train_acc": (np.minimum(1.0, 0.3 + 4 * s) * 512).round() / 512,
        "test_acc": (acc * IMAGES).round() / IMAGES,
        "train_loss": rough(0.01 + np.exp(-10 * s)),
        "test_loss": rough(1 - acc),
        "weight_norm": rough(100 * np.exp(-s), 0.001),
        "eta_eff": np.full(len(s), np.nan),
        "seconds": np.repeat(1e-3 * np.arange(n), p),
        "attempt": np.zeros(len(s), np.int32),
    }
    text = {"sweep": [directory.name] * p, "pack": [pack] * p, "point": [point.id for point in points]}
    schema = row_schema()
    take = pa.array(member)
    columns = [
        pa.array(text[f.name]).take(take) if f.name in text else pa.array(numbers[f.name]).cast(f.type) for f in schema
    ]
    return pa.table(columns, schema=schema)


# ----------------------------------------------------------------------------------------- measurement


PHASES = (  # what is timed, where its name is looked up, and how it is called in the table
    ("results.store.state", "read_plan", "plan"),
    ("results.store.state", "read_consistent", "ledger"),
    ("results.conclude", "write_points", "ledger"),
    ("results.conclude", "make_points", "plan"),
    ("results.analyze", "_reduce", "read and reduce rows"),
    ("results.analysis.findings", "join", "tables of points"),
    ("results.analysis.findings", "tuned_and_predicted_from", "tables of points"),
    ("results.analysis.findings", "fit_exponents", "fits and verdicts"),
    ("results.analysis.findings", "fit_kappa", "fits and verdicts"),
    ("results.analyze", "judge", "fits and verdicts"),
    ("results.analyze", "draw_all", "figures"),
    ("results.analyze", "save", "figures"),
    ("results.analyze", "render_report", "report"),
)


def analyze_here(root):
    """`sweeper analyze` with a clock around its phases; prints one line of JSON."""
    started = time.perf_counter()
    from importlib import import_module

    from results.conclude import conclude
    from results.store.state import read_state
    from results.store.sweep_dir import SweepDir

    spent = {}

    def clocked(function, phase):
        def call(*args, **options):
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent[phase] = spent.get(phase, 0.0) + time.perf_counter() - start

        return call

    for module, name, phase in PHASES:
        place = import_module(module)
        setattr(place, name, clocked(getattr(place, name), phase))
    imported = time.perf_counter() - started
    verdicts = conclude(read_state(SweepDir(Path(root)))).analysis.verdicts
    whole = time.perf_counter() - started
    findings = {v.claim: (v.value, v.interval) for v in verdicts}
    rest = whole - imported - sum(spent.values())
    print(json.dumps({"phases": {"imports": imported, **spent, "the rest": rest}, "found": findings}))


def pandas_here(root, limit):
    """t*, κ and the slope by plain pandas in at most so much memory; prints one line of JSON."""
    import pandas as pd

    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    columns = ["point", "step", "epoch", "decay_time", "test_acc", "eta", "lam"]
    rows = pd.read_parquet(Path(root) / "rows", columns=columns, read_dictionary=["point"])
    best = rows.groupby("point", observed=True)["test_acc"].transform("max")
    within = rows[rows["test_acc"] >= best - TOLERANCE - 1e-6]
    star = within.loc[within.groupby("point", observed=True)["step"].idxmin()]
    ended = rows.groupby("point", observed=True)["epoch"].max()
    # No Tobit here: what peaked in the last tenth of its run is left out.
    star = star[star["epoch"].to_numpy() < 0.9 * ended.loc[star["point"]].to_numpy()]
    slope = np.polyfit(np.log(star["eta"] * star["lam"]), np.log(star["step"]), 1)[0]
    kappa = np.exp(np.log(star["decay_time"]).mean())
    print(json.dumps({"slope": slope, "kappa": kappa}))


def decode_here(root):
    """The floor: nothing but decoding the columns that the analysis reads, in two threads."""
    from concurrent.futures import ThreadPoolExecutor

    from results.analysis.reduction import ROW_COLUMNS
    from results.store.parts import read_part, valid_parts_in
    from results.store.sweep_dir import SweepDir

    directory = SweepDir(Path(root))
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(
            lambda name: read_part(directory, name, list(ROW_COLUMNS)).num_rows, valid_parts_in(directory)
        ):
            pass
    print("{}")


def measured(command):
    """Seconds, seconds of the processor, peak MiB and last line of a process; None if it ran out of memory."""
    start = time.perf_counter()
    # Linux counts what a process was before it became another: a small one starts it, not this one.
    done = subprocess.run([sys.executable, "-c", STARTER, *command], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        return None if "emory" in done.stderr or done.returncode < 0 else sys.exit(done.stderr)
    *out, usage = filter(None, done.stdout.splitlines())
    cpu, peak = map(float, usage.split())
    return seconds, cpu, peak * 1024 / MIB, out[-1]


def show(found):
    value, interval = found
    low, high = interval or (float("nan"),) * 2
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def measure(root, rows, pandas_limit):
    """Measure one sweep and print it."""
    import pandas as pd

    this, disk = [sys.executable, __file__, "--root", str(root)], sum(f.stat().st_size for f in root.rglob("*"))
    print(f"\n{rows:,} rows: {disk / 2**30:.2f} GiB, {len(list((root / 'rows').iterdir())):,} parts", flush=True)
    jobs = {
        "sweeper analyze": [sys.executable, "-m", "sweeper", "analyze", str(root)],
        "the same, with a clock": [*this, "--do", "analyze"],
        "decoding alone": [*this, "--do", "decode"],
        "pandas: t*, slope, κ": [*this, "--do", "pandas", "--pandas-gib", str(pandas_limit / 2**30)],
    }
    last = {}
    for name, command in jobs.items():
        got = measured(command)
        if got is None:
            print(f"  {name:24s} out of memory at {pandas_limit / 2**30:.0f} GiB", flush=True)
            continue
        seconds, processor, mib, last[name] = got
        print(f"  {name:24s} {seconds:7.1f} s   {processor:7.1f} s of CPU   {mib:7,.0f} MiB at most", flush=True)
    ours = json.loads(last["the same, with a clock"])
    print("  phases: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in ours["phases"].items()))
    peaks = pd.read_parquet(root / "analysis/peaks.parquet")
    seen = peaks[~peaks["censored"]]
    print(
        f"  slope of t*: true -1, found {show(ours['found']['scaling'])}; κ of {len(seen):,} observed t*: true {KAPPA},"
    )
    print(f"  found {np.exp(np.log(seen['kappa']).mean()):.4f}; spread of κ: true {np.exp(SPREAD):.4f}, ", end="")
    print(f"found {show(ours['found']['collapse'])}; {int(peaks['censored'].sum())} points are lower bounds")
    if "pandas: t*, slope, κ" in last:
        theirs = json.loads(last["pandas: t*, slope, κ"])
        print(f"  pandas: slope {theirs['slope']:.4f}, κ {theirs['kappa']:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--rows", type=float, action="append", help="about so many rows; default 1e6, 1e7 and 1e8")
    parser.add_argument("--part-rows", type=int, default=50_000, help="rows of a part file")
    parser.add_argument("--pandas-gib", type=float, default=8, help="memory that pandas may take")
    parser.add_argument("--keep", action="store_true", help="leave the sweeps where they are, and use them if there")
    parser.add_argument("--do", choices=["analyze", "pandas", "decode"], help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    limit = int(options.pandas_gib * 2**30)
    if options.do == "pandas":
        return pandas_here(options.root, limit)
    if options.do:
        return {"analyze": analyze_here, "decode": decode_here}[options.do](options.root)
    for rows in options.rows or [1e6, 1e7, 1e8]:
        side = round((rows / MEASUREMENTS) ** 0.5)
        root = options.scratch / f"synthetic-{side}x{side}"
        if not (options.keep and root.exists()):
            make_sweep(options.scratch, side, options.part_rows)
        measure(root, side**2 * MEASUREMENTS, limit)
        if not options.keep:
            shutil.rmtree(root)
    return None


if __name__ == "__main__":
    main()
