"""What a worker does with one pack: train it and commit its rows. The same under every backend."""

import platform
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from results.store import SweepDir, next_attempt, read_ends, tidy
from search_spaces.grid import Grid
from search_spaces.points import Point, values_elsewhere
from search_spaces.recipe import recipe_of
from sweeper.events import Notify
from sweeper.pack_writer import PackWriter, table_schema
from sweeper.plan_file import cached_plan
from trainables.memory import keep_freed_memory
from trainables.train import train_pack


def run_pack(root: str, pack_id: str, notify: Notify, threads: int = 1) -> None:
    """Train the points of a pack that have not ended yet and store their rows.

    Args:
        root: the sweep directory.
        pack_id: a pack of its ``plan.json``.
        notify: called about once a second and at the end.
        threads: CPU threads of this process.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # weights that decay towards 0 would otherwise become 100 times slower numbers
    directory = SweepDir(Path(root))
    grid, plan, packs = cached_plan(directory, directory.plan.stat().st_mtime_ns)
    attempt = next_attempt(directory, pack_id)
    ended = read_ends(directory, pack_id).keys()
    schema = table_schema(plan.points.values())
    tidy(directory, schema, ended, pack=pack_id)
    points = [p for p in packs[pack_id].points if p.id not in ended]
    elsewhere = values_elsewhere(grid, plan.points.values())
    writer = PackWriter(
        directory,
        pack_id,
        attempt,
        schema=schema,
        elsewhere=elsewhere,
        notify=notify,
        tolerance=grid.analysis.tolerance,
        device=device_name(plan.device),
    )
    try:
        _train(points, grid, plan.device, writer)
    finally:
        writer.finish()  # on an interrupt too: what has ended stays
        torch.set_flush_denormal(False)  # the process may be somebody's notebook


def device_name(device: str) -> str:
    """What a torch device is called: ``NVIDIA H200``, ``AMD EPYC 9R14 (cpu)``."""
    if device == "cuda" and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    # Linux has no other name of the processor than this line; on ARM there is none.
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if platform.system() == "Linux" else ""
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return f"{model[1].strip() if model else platform.processor() or platform.machine()} (cpu)"


def _train(points: Sequence[Point], grid: Grid, device: str, writer: PackWriter) -> None:
    """Train points together; if that raises, each alone, so that an error stays with the point it belongs to."""
    if not points:
        return
    writer.start(points)
    measurements = train_pack(points, recipe_of(grid, points[0].variant), device)
    while True:
        try:
            measurement = next(measurements)
        except StopIteration:
            return
        except (Exception, SystemExit) as error:  # a point's own outcome, not the end of the sweep
            if len(points) == 1:
                writer.fail(points[0], error)
                return
            for point in writer.unfinished():
                _train([point], grid, device, writer)
            return
        writer.add(measurement)  # its own errors, a full disk say, are the worker's: the backend tries the pack again
