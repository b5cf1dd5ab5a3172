"""The budget law T(η, λ): the number of epochs that a point trains. Only this module divides by λ."""

import math

from search_spaces.sections.grid import Budget, BudgetException, Grid, OverEta

RELATIVE_ROUNDING = 1e-9  # 0.1/(0.1 · 2.5e-4) is 4000.0000000000005


def kept_cells(grid: Grid) -> list[tuple[float, float]]:
    """Return every (η, λ) of the grid's axes that ``budget.leave_out`` does not leave out, λ fastest."""
    cells = ((float(eta), float(lam)) for eta in grid.axes["eta"] for lam in grid.axes["lam"])
    return [cell for cell in cells if not left_out(grid.budget, *cell)]


def left_out(budget: Budget, eta: float, lam: float) -> bool:
    """Return whether the grid has no point at (η, λ), because the budget of that point would be too long.

    Args:
        budget: section ``budget`` of the grid.
        eta: learning rate η > 0.
        lam: L2 coefficient λ ≥ 0.

    >>> left_out(Budget(rule="inverse_eta_lam", constant=0.1, leave_out=4000), eta=0.1, lam=1e-4)
    True
    """
    if budget.leave_out is None or lam == 0 or _exception(budget, eta, lam) is not None:
        return False
    epochs = budget_epochs(budget, eta, lam)
    return epochs is not None and epochs > budget.leave_out * (1 + RELATIVE_ROUNDING)


def budget_epochs(budget: Budget, eta: float, lam: float) -> float | None:
    """Return the budget T of the point (η, λ), in epochs.

    T = constant/(ηλ) is the budget of Figure 2 of the paper (2/(ηλ) for FC, 0.1/(ηλ) for WRN), T = constant/λ that
    of Figure 1a. An entry of ``exceptions`` replaces the rule and the cap. Far outside any real η and λ the result
    can be infinite or 0; ``load_grid`` refuses such grids.

    Args:
        budget: section ``budget`` of the grid.
        eta: learning rate η > 0.
        lam: L2 coefficient λ ≥ 0.

    Returns:
        T in epochs; None for λ = 0 where neither ``zero_lam`` nor ``max`` gives a budget.

    >>> budget_epochs(Budget(rule="inverse_eta_lam", constant=2), eta=0.5, lam=0.01)
    400.0
    >>> budget_epochs(Budget(rule="inverse_lam", constant=0.1, max=150), eta=0.2, lam=5e-4)
    150.0
    """
    exception = _exception(budget, eta, lam)
    if exception is not None:
        return exception.epochs
    if lam == 0 and budget.rule != "fixed":
        return budget.zero_lam.over_eta / eta if isinstance(budget.zero_lam, OverEta) else budget.zero_lam or budget.max
    constant = budget.constant or math.nan  # the rule predicted has none
    match budget.rule:
        case "fixed":
            epochs = constant
        case "inverse_lam":
            epochs = constant / lam
        case "inverse_eta_lam":
            rate = eta * lam
            epochs = constant / rate if rate > 0 else math.inf  # 1e-300 times 1e-300 is 0
        case "predicted":
            epochs = math.inf
    return epochs if budget.max is None else min(epochs, budget.max)


def _exception(budget: Budget, eta: float, lam: float) -> BudgetException | None:
    """Return the entry of ``exceptions`` for (η, λ), if there is one."""
    return next((entry for entry in budget.exceptions if (entry.eta, entry.lam) == (eta, lam)), None)
