"""The budget law T(η, λ): how many epochs a point trains. The one place where λ divides."""

import math

from search_spaces.grid import Budget


def budget_epochs(budget: Budget, eta: float, lam: float) -> float | None:
    """Budget T of the point (η, λ), in epochs; None for λ = 0 where neither ``zero_lam`` nor ``max`` gives one.

    T = constant/(ηλ) is the budget of Figure 2 of the paper (2/(ηλ) for FC, 0.1/(ηλ) for WRN), T = constant/λ that
    of Figure 1a. An entry of ``exceptions`` replaces the rule and the cap. Far outside any real η and λ the result
    can be infinite or 0; ``load_grid`` refuses such grids.

    >>> budget_epochs(Budget(rule="inverse_eta_lam", constant=2), eta=0.5, lam=0.01)
    400.0
    >>> budget_epochs(Budget(rule="inverse_lam", constant=0.1, max=150), eta=0.2, lam=5e-4)
    150.0
    """
    for exception in budget.exceptions:
        if (exception.eta, exception.lam) == (eta, lam):
            return exception.epochs
    if lam == 0 and budget.rule != "fixed":
        return budget.zero_lam or budget.max
    match budget.rule:
        case "fixed":
            epochs = budget.constant
        case "inverse_lam":
            epochs = budget.constant / lam
        case "inverse_eta_lam":
            rate = eta * lam
            epochs = budget.constant / rate if rate > 0 else math.inf  # 1e-300 times 1e-300 is 0
    return epochs if budget.max is None else min(epochs, budget.max)
