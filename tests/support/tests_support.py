"""What several test files share."""

import pyarrow as pa

from results.store.commits import Commit, PointEnd
from results.store.part_names import PartName
from results.store.parts import valid_parts_in, write_part
from results.store.schema import COLUMNS, row_schema
from results.store.sweep_dir import SweepDir
from search_spaces.outcome import Outcome

SMALL = """
name: small
trainable:
  model: {name: fc, width: 16, depth: 2}
  data: {name: digits, train: 64}
axes: {eta: [0.1, 0.3], lam: [0, 0.01, 0.1]}
budget: {rule: inverse_eta_lam, constant: 1, max: 60}
measure: {log: 10}
analysis: {budgets: [10, 50]}
"""


def rows_table(points=("p1",), steps=(1, 2, 4), pack="k1", attempt=0, **columns):
    """Rows of some points; further keywords set a column, or add that of an axis."""
    number = len(points) * len(steps)
    values = {c.name: [0] * number for c in COLUMNS} | {
        "sweep": ["demo"] * number,
        "point": [p for p in points for _ in steps],
        "pack": [pack] * number,
        "attempt": [attempt] * number,
        "step": list(steps) * len(points),
        "test_acc": [s / 8 for s in steps] * len(points),
    }
    extra = {name: pa.scalar(v).type for name, v in columns.items() if name not in values}
    values |= {name: [v] * number for name, v in columns.items()}
    schema = row_schema(extra)
    return pa.table([pa.array(values[f.name]).cast(f.type) for f in schema], schema=schema)


def point_end(point, outcome=Outcome.COMPLETED, **changes):
    """An end of a point of pack ``k1``."""
    return PointEnd(
        **{"point": point, "pack": "k1", "attempt": 0, "outcome": outcome, "steps": 4, "seconds": 1.5} | changes
    )


def commit_rows(
    directory: SweepDir, rows: pa.Table, *ends: PointEnd, pack="k1", attempt=0, sequence=0, **said
) -> PartName:
    """Commit rows and ends behind the first ``sequence`` parts that count; further keywords are those of ``Commit``."""
    before = valid_parts_in(directory, pack)[:sequence]
    assert len(before) == sequence
    return write_part(directory, pack, attempt, before, rows, Commit(ends=ends, **said))
