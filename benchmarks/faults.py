"""What faults cost, and whether a row is ever lost or there twice: the tables of docs/durability.md.

    python benchmarks/faults.py [--seed 0] [--scale 1.0] [--only killed] [--pairs 5]

A round is one fault struck at a random moment of a sweep that is then continued. Each sweep suffers one kind of fault
until it is done, and its table is then compared with that of an undisturbed run: every row, every column but attempt
and seconds, to the last bit. In-process runs are forked from this process, which has imported everything: their times
leave out the seconds that Python takes for that. Ray's rounds are whole commands.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from faults_support import (  # noqa: E402
    Sweep,
    fill,
    flip_a_byte,
    ray_process,
    table,
    training_workers,
    truncate,
    wait_for,
)

from results.store.attempts import packs_begun  # noqa: E402
from results.store.commits import read_commit  # noqa: E402
from results.store.parts import all_parts_in, is_intact, remove_parts, valid_parts_in  # noqa: E402
from sweeper.worker.checkpoints import restart_of  # noqa: E402

TRAINED = ("recovery.commit_seconds=0.2",)
ROUNDS = {
    "run killed (SIGKILL)": 100,
    "run stopped (SIGTERM)": 20,
    "part torn after a kill": 20,
    "byte of a part flipped after a kill": 20,
    "checkpoint torn after a kill": 20,
    "byte of a checkpoint flipped after a kill": 20,
    "disk full for 2 s": 6,
    "Ray worker killed": 4,
    "Ray driver killed": 3,
    "raylet killed": 3,
    "gcs_server killed": 3,
}


@dataclass
class Tally:
    """What the rounds of one fault have shown."""

    rounds: int = 0
    sweeps: int = 0
    lost: int = 0
    twice: int = 0
    changed: int = 0
    repeated: list[float] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)


def forked(sweep):
    """Run a sweep in a child of this process; its process id. Exits with 0 when the sweep is done."""
    pid = os.fork()
    if pid:
        return pid
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        os._exit(1 if sweep.run().missing else 0)
    except KeyboardInterrupt:
        os._exit(130)
    except BaseException as error:
        (sweep.out / "error").write_text(repr(error))
        os._exit(2)


def ended(pid):
    """The exit status of a child that has ended; None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def names(sweep):
    return {name.file for name in all_parts_in(sweep.directory)} if sweep.directory.rows.is_dir() else set()


def compare(sweep, reference, tally):
    keys = ["point", "step"]
    ours, theirs = table(sweep.directory), table(reference.directory)
    count = Counter(map(tuple, ours[keys].to_numpy().tolist()))
    wanted = set(map(tuple, theirs[keys].to_numpy().tolist()))
    tally.sweeps += 1
    tally.lost += len(wanted - count.keys())
    tally.twice += sum(n - 1 for n in count.values())
    if len(ours) == len(theirs):
        same = (ours == theirs) | (ours.isna() & theirs.isna())
        tally.changed += int((~same.all(axis=1)).sum())


def kept_work(sweep):
    """Pack to the seconds of its training that the next run builds on: of a copy without what is damaged."""
    with tempfile.TemporaryDirectory() as folder:
        copy = type(sweep.directory)(Path(folder) / "copy")
        shutil.copytree(sweep.directory.root, copy.root)
        remove_parts(copy, [name for name in all_parts_in(copy) if not is_intact(copy, name)])
        return {pack: _seconds(copy, pack) for pack in packs_begun(copy)}


def _seconds(directory, pack):
    commits = [read_commit(directory, name) for name in valid_parts_in(directory, pack)]
    if commits and commits[-1].finished:
        return max(end.seconds for commit in commits for end in commit.ends)
    return restart_of(directory, pack).checkpoint.seconds


def latest_write(sweep, pack):
    """When the pack last committed, or was begun."""
    times = [p.stat().st_mtime for p in sweep.directory.rows.glob(f"{pack}-*.parquet")]
    times += [p.stat().st_mtime for p in sweep.directory.attempts.glob(f"{pack}-*")]
    return max(times)


def damage(sweep, fault, chance):
    """Damage what the fault names, if there is such a file."""
    hurt = truncate if "torn" in fault else flip_a_byte
    if fault.startswith(("part", "byte of a part")):
        files = [sweep.directory.rows / name.file for name in valid_parts_in(sweep.directory)]
    else:
        files = sorted(sweep.directory.checkpoints.glob("*.pt"))
    if files:
        hurt(chance.choice(files))


def in_process(sweep, fault, chance, tally, most):
    """Strike a sweep until it is done, or ``most`` rounds are."""
    while True:
        pid = forked(sweep)
        status = moment(sweep, pid, chance, tally, strike=tally.rounds < most)
        if status is None:
            os.kill(pid, signal.SIGTERM if "SIGTERM" in fault else signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            tally.rounds += 1
            tally.repeated.append(lost_work(sweep, fault, chance))
        if status == 0:
            return
        if status not in {130, -signal.SIGKILL, -signal.SIGTERM}:
            sys.exit(f"{fault}: the run ended with status {status}: {(sweep.out / 'error').read_text()}")


def moment(sweep, pid, chance, tally, *, strike):
    """Wait for the moment to ``strike``, one in five while things are put in order; the status if it ended before."""
    known, began, status = names(sweep), time.monotonic(), None
    until = began + chance.uniform(0, 0.5) if strike and chance.random() < 0.2 else float("inf")
    waits = True
    while status is None and time.monotonic() < until:
        if waits and names(sweep) - known:
            waits = False
            if known:
                tally.recovered.append(time.monotonic() - began)
            if strike:
                until = min(until, time.monotonic() + chance.uniform(0, 1.5))
        time.sleep(0.005)
        status = ended(pid)
    return status


def lost_work(sweep, fault, chance):
    """Seconds of training that the next run repeats, after what the fault damages besides."""
    now = time.time()
    if not sweep.directory.attempts.is_dir():
        return 0.0
    under_way = unfinished(sweep)
    gaps = [] if "SIGTERM" in fault else [now - latest_write(sweep, pack) for pack in under_way]
    before = kept_work(sweep)
    if fault.endswith("after a kill"):
        damage(sweep, fault, chance)
    after = kept_work(sweep)
    return min(gaps, default=0.0) + sum(max(0.0, seconds - after.get(pack, 0)) for pack, seconds in before.items())


def full_disk(sweep, _fault, chance, tally, _most):
    """Fill the disk once a sweep; the time to recover runs from when it is free again."""
    disk = sweep.out
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        raise PermissionError
    try:
        pid, known, status = forked(sweep), set(), None
        wait_for(lambda: len(names(sweep)) > chance.randint(1, 6))
        filler = fill(disk)
        time.sleep(2)
        known, freed = names(sweep), time.monotonic()
        filler.unlink()
        tally.rounds += 1
        while status is None:
            status = ended(pid)
            if names(sweep) - known:
                tally.recovered.append(time.monotonic() - freed)
                known |= names(sweep)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            time.sleep(0.01)
        if status:
            sys.exit(f"disk full: status {status}")
        tally.repeated.append(0.0)
        kept = disk.with_name(f"{disk.name}-kept") / sweep.directory.name
        shutil.copytree(sweep.directory.root, kept)
        sweep.directory = type(sweep.directory)(kept)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def on_ray(sweep, fault, chance, tally, most):
    """Strike a command on Ray until the sweep is done, or ``most`` rounds are."""
    struck = None
    while True:
        with sweep.running() as process, contextlib.suppress(AssertionError):  # it has ended
            while process.poll() is None:
                known = attempts(sweep)
                wait_for(lambda known=known: attempts(sweep) - known, process)  # so that the pack goes on
                if struck is not None:
                    tally.recovered.append(time.monotonic() - struck)
                if tally.rounds >= most:
                    break
                time.sleep(chance.uniform(0, 1))
                struck = strike(process, sweep, fault, tally)
                if "driver" in fault:
                    break
            status = process.wait(600)
        status = process.poll()
        if status == 0:
            return
        asked = "run the same command again to go on" in sweep.stderr  # Ray died under a call that never returns
        if status != -signal.SIGKILL and not (status == 2 and asked):
            sys.exit(f"{fault}: the run ended with status {status}: {sweep.stderr[-2000:]}")


def unfinished(sweep):
    """Packs that have begun and are not done."""
    begun = packs_begun(sweep.directory)
    latest = {name.pack: name for name in valid_parts_in(sweep.directory) if is_intact(sweep.directory, name)}
    return [p for p in begun if p not in latest or not read_commit(sweep.directory, latest[p]).finished]


def attempts(sweep):
    """Packs and attempts that have committed something."""
    return {file.rsplit("-", 3)[0] for file in names(sweep)}


def strike(process, sweep, fault, tally):
    """Kill what the fault names, and note what it costs; the moment, None if there was nothing to kill."""
    if "driver" in fault:
        victims = [process.pid]
    elif "worker" in fault:
        victims = training_workers(process.pid)[:1]
    else:
        victims = [ray_process(process.pid, fault.split()[0])]
    if not victims or victims[0] is None:
        return None
    os.kill(victims[0], signal.SIGKILL)
    now = time.time()
    tally.rounds += 1
    tally.repeated.append(max((now - latest_write(sweep, pack) for pack in unfinished(sweep)), default=0.0))
    return time.monotonic()


def rounds_of(fault, most, reference, folder, chance):
    """Sweep after sweep until there were ``most`` rounds of a fault."""
    way = on_ray if fault.startswith(("Ray", "raylet", "gcs")) else full_disk if "disk" in fault else in_process
    tally = Tally()
    while tally.rounds < most:
        sweep = Sweep(folder / f"{fault.split('(')[0].strip().replace(' ', '-')}-{tally.sweeps}", *TRAINED)
        way(sweep, fault, chance, tally, most)
        compare(sweep, reference, tally)
        shutil.rmtree(sweep.out, ignore_errors=True)
    return tally


def cost_of_commits(pairs, folder):
    """Wall and CPU seconds of a sweep by the time between commits, run in turn."""
    seconds = defaultdict(list)
    for i in range(pairs):
        for commit in (1e9, 10, 0):
            sweep = Sweep(folder / f"cost-{i}-{commit:g}", "budget.constant=4", f"recovery.commit_seconds={commit:g}")
            began = time.monotonic()
            pid = forked(sweep)
            _, status, usage = os.wait4(pid, 0)
            assert status == 0
            seconds[commit].append((time.monotonic() - began, usage.ru_utime + usage.ru_stime))
            shutil.rmtree(sweep.out)
    print("\n| commits every | wall time, of none | CPU time, of none | runs |\n|---|---|---|---|")
    for commit in (10, 0):
        ratios = [[mine[k] / none[k] for mine, none in zip(seconds[commit], seconds[1e9], strict=True)] for k in (0, 1)]
        wall, cpu = (f"{statistics.median(r):.3f} ({min(r):.3f} to {max(r):.3f})" for r in ratios)
        label = "10 s (default)" if commit else "as often as it may (2 % of the time)"
        print(f"| {label} | {wall} | {cpu} | {pairs} pairs |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many rounds")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs for the cost of commits")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        reference = Sweep(folder / "reference", *TRAINED)
        assert os.waitpid(forked(reference), 0)[1] == 0
        print(f"{len(table(reference.directory)):,} rows a sweep, seed {options.seed}\n")
        print("| fault | rounds | sweeps | rows lost | rows twice | rows changed | work repeated (s) | recovered (s) |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        for fault, rounds in ROUNDS.items():
            if options.only not in fault:
                continue
            try:
                tally = rounds_of(fault, max(1, round(rounds * options.scale)), reference, folder, chance)
            except PermissionError:
                print(f"| {fault} | mounting is not permitted here | | | | | | |")
                continue
            work = f"{statistics.median(tally.repeated):.2f}, max {max(tally.repeated):.2f}"
            again = f"{statistics.median(tally.recovered):.2f}" if tally.recovered else ""
            numbers = (tally.rounds, tally.sweeps, tally.lost, tally.twice, tally.changed)
            print(f"| {fault} | {' | '.join(map(str, numbers))} | {work} | {again} |", flush=True)
        if options.pairs:
            cost_of_commits(options.pairs, folder)


if __name__ == "__main__":
    main()
