"""Rows of a sweep in batches of whole points. A sweep of any size is read in the memory of a few packs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from results.store.part_names import PartName
from results.store.parts import read_part
from results.store.sweep_dir import SweepDir, map_reads

__all__ = ["BATCH_ROWS", "RowBatch", "row_batches"]

BATCH_ROWS = 700_000  # a pack of 64 points of 10,000 measurements; 40 MB of the columns that the analysis reads


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBatch:
    """Points whose rows are read together.

    Attributes:
        points: ids of the points.
        names: the parts that hold their rows.
    """

    points: frozenset[str]
    names: tuple[PartName, ...]

    def read(self, directory: SweepDir, columns: Collection[str]) -> pd.DataFrame:
        """Read all rows of the points, in the order of the parts.

        Args:
            directory: the sweep.
            columns: names of the columns; ``point``, which must be among them, comes as categories.
        """
        tables = map_reads(
            directory,
            lambda name: self._chosen(read_part(directory, name, list(columns), check_digest=False)),
            self.names,
        )
        rows: pd.DataFrame = pa.concat_tables(tables).unify_dictionaries().to_pandas(split_blocks=True)
        return rows

    def _chosen(self, table: pa.Table) -> pa.Table:
        table = table.unify_dictionaries()
        point = table["point"].combine_chunks()
        chosen = np.array([name in self.points for name in point.dictionary.to_pylist()], dtype=np.bool_)
        return table if chosen.all() else table.filter(pa.array(chosen[point.indices.to_numpy()]))


def row_batches(directory: SweepDir, names: Sequence[PartName]) -> list[RowBatch]:
    """Divide the rows into batches of whole points, of `BATCH_ROWS` rows and at most one point more.

    Parts that share points are read in the same batch where they fit: those of a pack, and of the packs that a point
    went through. Otherwise each of their batches reads them all.

    Args:
        directory: the sweep.
        names: the parts that count.

    Raises:
        InputError: a file among the parts is damaged or not of this program.
    """
    counts = map_reads(directory, partial(_count_points, directory), names)
    if not sum(map(len, counts)):
        return []
    part = np.repeat(np.arange(len(names)), [len(count) for count in counts])
    rows = np.concatenate([count.to_numpy() for count in counts])
    point, points = pd.factorize(np.concatenate([count.index.to_numpy(dtype=object) for count in counts]))
    share = coo_array((np.ones(len(part)), (part, len(names) + point)), shape=(len(names) + len(points),) * 2)
    group = connected_components(share, directed=False)[1][len(names) :]
    batch = _batched(group, np.bincount(point, weights=rows))
    table = pd.DataFrame({"batch": batch[point], "part": part, "point": point})
    return [
        RowBatch(points=frozenset(points[own["point"].unique()]), names=tuple(names[k] for k in own["part"].unique()))
        for _, own in table.groupby("batch")
    ]


def _count_points(directory: SweepDir, name: PartName) -> pd.Series:
    """Number of rows of each point in a part."""
    point = read_part(directory, name, ["point"])["point"].unify_dictionaries().combine_chunks()
    counts = np.bincount(point.indices.to_numpy(), minlength=len(point.dictionary))
    return pd.Series(counts, index=pd.Index(point.dictionary.to_pylist(), dtype=object))


def _batched(group: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The batch number of each point (n,). Groups follow each other; one that does not fit begins a new batch.

    Args:
        group: number of the group of each point (n,).
        rows: number of rows of each point (n,).
    """
    batch, number, filled = np.zeros(len(group), dtype=np.int64), 0, 0.0
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        size = rows[members].sum()
        if filled and filled + size > BATCH_ROWS:
            number, filled = number + 1, 0.0
        inside = np.floor((np.cumsum(rows[members]) - 1) / BATCH_ROWS).astype(np.int64)
        batch[members] = number + inside
        number, filled = number + int(inside[-1]), filled + size
    return batch
