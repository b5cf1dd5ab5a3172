"""What training yields: measurements, and the ends of points."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.outcome import Outcome

EVALUATION_BATCH = 1024  # samples of one evaluation pass: bounds its memory; the paper's batch of WRN


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A point of the pack is done and costs nothing from here on.

    Attributes:
        member: which, as a position in the pack.
        why: cause of a divergence, empty otherwise.
    """

    member: int
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Measurements of some points of a pack at one step, and the points that ended with it.

    Attributes:
        step: optimizer steps taken.
        members: which points, as positions in the pack.
        values: column name to numbers, one a member: train_acc, test_acc, train_loss, test_loss, weight_norm, eta_eff,
            epoch, decay_time, eta_t, lam_t.
        ends: of members.
    """

    step: int
    members: tuple[int, ...]
    values: Mapping[str, NDArray[np.float64]]
    ends: tuple[Ended, ...] = ()
