"""The section ``metric`` of a grid: the quantity by which points are judged."""

from typing import Any, Literal, TypeVar

from pydantic import model_validator

from search_spaces.sections.section import Section

_Numbers = TypeVar("_Numbers")  # a number, an array or a series

_MODES: dict[str, Literal["max", "min"]] = {"test_acc": "max", "test_loss": "min"}
_TITLES = {"test_acc": "test accuracy", "test_loss": "test loss"}


class Metric(Section):
    """The quantity by which points are judged: t* is the time of its best, and the best setting has the best of it."""

    name: Literal["test_acc", "test_loss"] = "test_acc"
    """``test_acc``: accuracy on the test set. ``test_loss``: loss on the test set, without the L2 term, for tasks
    without classes and for language models. A measurement counts as the best of its point within ``analysis.tolerance``
    of it, which is a difference of accuracies, or a share of the way from the first loss to the best."""
    mode: Literal["max", "min"] = "max"
    """The better direction, which follows from ``name``: ``max`` of an accuracy, ``min`` of a loss."""

    @model_validator(mode="before")
    @classmethod
    def _follow_name(cls, data: Any) -> Any:
        """Fill in the direction of a known name."""
        if isinstance(data, dict) and data.get("mode") is None and data.get("name") in _MODES:
            return data | {"mode": _MODES[data["name"]]}
        return data

    @model_validator(mode="after")
    def _check_mode(self) -> "Metric":
        if self.mode != _MODES[self.name]:
            better = "smaller" if self.mode == "max" else "larger"
            raise ValueError(
                f"mode: {self.mode} contradicts name: {self.name}, of which the {better} is better; leave 'mode' out"
            )
        return self

    @property
    def column(self) -> str:
        """Column of the table of rows that holds the metric."""
        return self.name

    @property
    def is_accuracy(self) -> bool:
        """Whether the metric is the test accuracy, of which the paper's claims speak."""
        return self.name == "test_acc"

    @property
    def best(self) -> str:
        """Column of tables of points with the best value of a point."""
        return f"best_{self.column}"

    @property
    def last(self) -> str:
        """Column of tables of points with the value of the last measurement."""
        return f"last_{self.column}"

    @property
    def title(self) -> str:
        """The metric in words."""
        return _TITLES[self.name]

    @property
    def extreme(self) -> str:
        """Its best value in words: ``maximum`` or ``minimum``."""
        return f"{self.mode}imum"

    def score(self, values: _Numbers) -> _Numbers:
        """Return numbers (...) so that larger is better; the same function turns scores into values again."""
        return values if self.mode == "max" else -values  # type: ignore[operator]

    def margin(self, tolerance: float, best: Any, first: Any) -> Any:
        """Return how far below the best score a score may lie to count as the best.

        A tolerance of 0.5 % is an accuracy of 0.005 (paper). Other metrics have no scale of their own: of them it is
        0.5 % of the way from the first measurement to the best.

        Args:
            tolerance: of ``analysis.tolerance``.
            best: best scores (...).
            first: scores of the first measurements (...).
        """
        return tolerance if self.is_accuracy else tolerance * (best - first)

    def shown(self, value: float) -> str:
        """Return a value as text: an accuracy with four decimals, anything else with four significant digits."""
        return f"{value:.4f}" if self.is_accuracy else f"{value:.4g}"


TEST_ACCURACY = Metric()
