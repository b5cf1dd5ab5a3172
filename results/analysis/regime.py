"""Training regime of a sweep: what the claims must know beyond its axes, which is schedule, AutoL2 and loss."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from results.analysis.segments import Bools, Floats
from search_spaces.sections.grid import Grid
from search_spaces.sections.loss import MeanSquaredError
from search_spaces.sections.optimizer import Constant, Piecewise, Schedule

__all__ = ["TrainingRegime", "regime_of"]

_CONSTANT = Constant(name="constant")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRegime:
    """Way in which the points of a sweep trained.

    The law is about constant η and λ: t*, c and κ are measured while both are constant. A run whose schedule is
    stretched to its own budget shows nothing about another budget.

    Attributes:
        schedule: schedule of η; an axis of the sweep that is one of its keys (``schedule.name``) takes precedence.
        auto_l2: whether AutoL2 lowers λ along the run, so that the axis ``lam`` is only its start.
        squared_error: whether the loss is squared error, which figure S5 is about.
    """

    schedule: Schedule = _CONSTANT
    auto_l2: bool = False
    squared_error: bool = False

    def constant_share(self, axes: Mapping[str, object]) -> float:
        """Return the share of its budget that a point trains at its first η and λ: 1 for all of it, 0 for none.

        Args:
            axes: axes of the point; ``schedule.name`` and ``schedule.warmup`` count.
        """
        name = axes.get("schedule.name", self.schedule.name)
        if self.auto_l2 or name == "cosine" or axes.get("schedule.warmup", self.schedule.warmup):
            return 0.0
        if name != "piecewise":
            return 1.0
        piecewise = self.schedule if isinstance(self.schedule, Piecewise) else Piecewise(name="piecewise")
        return piecewise.at[0]

    def constant_shares(self, table: pd.DataFrame) -> Floats:
        """Return ``constant_share`` of each row of a table that has the axes as columns (n,)."""
        keys = [name for name in ("schedule.name", "schedule.warmup") if name in table]
        if not keys or table.empty:
            return np.full(len(table), self.constant_share({}))
        groups = table.groupby(keys, sort=False, dropna=False)
        shares = [self.constant_share(dict(zip(keys, values, strict=True))) for values, _ in groups]
        chosen: Floats = np.array(shares)[groups.ngroup().to_numpy()]
        return chosen

    def stretched(self, table: pd.DataFrame) -> Bools:
        """Select the rows of points whose η depends on their own budget (n,); AutoL2's λ does not depend on it."""
        mask: Bools = replace(self, auto_l2=False).constant_shares(table) < 1
        return mask

    def never_constant(self, table: pd.DataFrame) -> str:
        """Return the reason why no point of a table ever trained at constant η and λ; empty where one did."""
        if self.constant_shares(table).any() or table.empty:
            return ""
        if self.auto_l2:
            return "AutoL2 changes lam along the run: no t* belongs to one lam, and c/T is not defined"
        return "eta changes from the first step on (warm-up or cosine): t* is of constant eta, and c/T is not defined"


def regime_of(grid: Grid) -> TrainingRegime:
    """Return the training regime that a grid describes."""
    loss = getattr(grid.trainable, "loss", None)  # a user's own training loop has no such section
    return TrainingRegime(
        schedule=grid.schedule,
        auto_l2=grid.l2.auto is not None,
        squared_error=isinstance(loss, MeanSquaredError) and "loss.name" not in grid.axes,
    )
