"""Looks for sweep directories that are answered otherwise than with a result or an ``InputError``.

``python fuzz/read_sweep.py SECONDS [SEED]`` trains a small sweep, then puts values at the edge of their types into its
plan, its footers, its rows and its table of points, one after the other. It reads what results as ``status`` and
``analyze`` do. A change that fails is printed with its seed. Nothing else is needed, no atheris.
"""

import io
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from results.conclude import conclude
from results.store.commits import COMMIT_KEY
from results.store.part_names import digest_of
from results.store.parts import valid_parts_in
from results.store.state import read_state
from results.store.sweep_dir import SweepDir
from search_spaces.errors import InputError
from search_spaces.reading.load import load_grid
from sweeper.backends.inprocess import InProcessBackend
from sweeper.cli.output import show
from sweeper.cli.views.result import ResultView
from sweeper.cli.views.status import StatusView
from sweeper.driver.run import run_sweep
from sweeper.health.status import disk_usage, status_of

GRID = """
name: small
trainable: {model: {name: fc, width: 8, depth: 1}, data: {name: digits, train: 32}}
axes: {eta: [0.1, 0.3], lam: [0, 0.1]}
budget: {rule: fixed, constant: 20}
measure: {log: 5}
"""
NUMBERS = [0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, 10**30, 10**400, 1e308, -1e308, 5e-324, float("inf"), float("nan")]
TEXTS = ["", "=1+1", "\x1b[2J", "\0", "\ud800", "[/red]", "../x", "x" * 10**5, "\u202e", "NaN"]
OTHERS = [None, True, [], {}, [[]], {"x": []}]


def change_json(data: Any, draw: random.Random) -> None:
    """Replace one value somewhere in ``data``."""
    while True:
        key = draw.choice(list(data) if isinstance(data, dict) else range(len(data)))
        inner = data[key]
        if not isinstance(inner, dict | list) or not inner or draw.random() < 0.1:
            data[key] = draw.choice(draw.choice([NUMBERS, NUMBERS, TEXTS, OTHERS]))
            return
        data = inner


def change_plan(directory: SweepDir, draw: random.Random) -> None:
    """Change the plan."""
    plan = json.loads(directory.plan.read_bytes())
    change_json(plan, draw)
    directory.plan.write_bytes(json.dumps(plan).encode())


def change_table(table: pa.Table, draw: random.Random) -> pa.Table:
    """Change one column, in one row or in all."""
    place = draw.randrange(table.num_columns)
    field, values = table.schema.field(place), table.column(place).to_pylist()
    value = draw.choice(TEXTS if pa.types.is_string(field.type) else [*NUMBERS, None])
    try:
        new = pa.array([value, *values[1:]] if draw.random() < 0.5 else [value] * len(values), field.type)
    except (pa.ArrowException, OverflowError, UnicodeError):  # no such value of this type
        return table
    return table.set_column(place, field, new)


def change_part(directory: SweepDir, draw: random.Random) -> None:
    """Change rows or footer of a part, whose digest is right again."""
    name = draw.choice(valid_parts_in(directory))
    path = Path(str(directory.rows / name.file))
    table = pq.ParquetFile(path).read()
    metadata = dict(table.schema.metadata)
    if draw.random() < 0.5:
        table = change_table(table, draw)
    else:
        commit = json.loads(metadata[COMMIT_KEY])
        change_json(commit, draw)
        metadata[COMMIT_KEY] = json.dumps(commit).encode()
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    path.unlink()
    path.with_name(replace(name, digest=digest_of(buffer.getvalue())).file).write_bytes(buffer.getvalue())


CHANGES: list[Callable[[SweepDir, random.Random], None]] = [change_plan, change_part]


def answer(directory: SweepDir) -> None:
    """Read a sweep as ``status`` and ``analyze`` do, and check what they would print."""
    out = Console(file=io.StringIO(), width=200)
    try:
        state = read_state(directory)
        show(StatusView(directory, status_of(state), disk_usage(directory)), console=out)
        show(ResultView(conclude(state), directory), console=out)
        said = out.file.getvalue()
    except InputError as error:
        said = str(error)
    assert said.replace("\n", "").isprintable(), said
    assert len(said) < 20_000


def main() -> None:
    """Change and read for as many seconds as the command line says."""
    until, seed = time.monotonic() + float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        grid = load_grid(GRID, "grid.yaml")
        run_sweep(grid, Path(folder) / "original", InProcessBackend, None, Console(file=io.StringIO()))
        while time.monotonic() < until:
            copy, draw = Path(folder) / "copy", random.Random(seed)
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(Path(folder) / "original/small", copy)
            for _ in range(draw.randint(1, 3)):
                draw.choice(CHANGES)(SweepDir(copy), draw)
            try:
                answer(SweepDir(copy))
            except Exception as error:
                print(f"seed {seed}: {type(error).__name__}: {str(error)[:200]!r}")
                if len(sys.argv) > 2:
                    raise
            seed += 1
    print(f"{seed} sweeps")


if __name__ == "__main__":
    main()
