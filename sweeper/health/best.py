"""The best setting of a sweep so far, from its ends alone. Apart from the status, which needs no pandas."""

import pandas as pd

from results.claims.winner import find_winner
from results.store.state import SweepState


def best_setting(state: SweepState) -> str | None:
    """Return the best setting among the planned points that have ended, in words; None if none has trained as meant.

    Raises:
        InputError: the plan cannot be read.
    """
    planned, metric = state.required_plan().points, state.required_grid().metric
    ended = [
        {**planned[id_].axes(), "point": id_, "outcome": end.outcome, metric.best: end.best(metric)}
        for id_, end in state.ends.items()
        if id_ in planned
    ]
    winner = find_winner(pd.DataFrame(ended), metric) if ended else None
    return winner.headline() if winner else None
