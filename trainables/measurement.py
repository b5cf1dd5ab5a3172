"""Measurements that training yields, and the ends of points."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.outcome import Outcome

EVALUATION_BATCH = 1024  # samples of one evaluation pass, which bound its memory; the paper's batch of WRN


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a point, which costs nothing from then on.

    Attributes:
        member: index of the point in the pack.
        outcome: how the point ended.
        why: cause of a divergence or a stop, empty otherwise.
    """

    member: int
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Measurements of some points of a pack at one step, and the points that ended with it.

    Attributes:
        step: optimizer steps taken.
        members: indices of the measured points in the pack.
        values: column name to numbers, (n,) each, one for each member: train_acc, test_acc, train_loss, test_loss,
            weight_norm, eta_eff, epoch, decay_time, eta_t, lam_t.
        ends: the points that ended, all of them among ``members``.
    """

    step: int
    members: tuple[int, ...]
    values: Mapping[str, NDArray[np.float64]]
    ends: tuple[Ended, ...] = ()
