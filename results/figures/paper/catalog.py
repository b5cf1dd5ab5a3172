"""All figures that sweeps can be drawn as, the paper's and those beyond it: name, content, and requirements."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from results.figures.drawing import Drawing
from results.figures.paper import (
    budgets,
    curves,
    decay,
    initialization,
    learning_rates,
    modes,
    prediction,
    scaling,
    timescale,
)
from results.figures.paper.sources import RequirementError, Tables
from search_spaces.errors import InputError, suggest


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFigure:
    """A figure: how to make its table, how to draw it, and what both need.

    Attributes:
        caption: Content of the figure, in one line, in the paper's terms.
        needs: Columns and axes that the sweeps must have, in one line.
        data: Function from tables of sweeps to the table of the figure; raises ``RequirementError``.
        draw: Function from that table to the figure.
        sweeps: Largest number of sweeps; None for any number, 0 for a figure of theory alone.
        explanation: Meaning of marks and lines that the keys do not explain; if empty, it is derived from the marks.
    """

    caption: str
    needs: str
    data: Callable[[Tables], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    sweeps: int | None = None
    explanation: str = ""


_SEED_MEANS = "Means over seeds."
_SEED_DOTS = "Means over seeds; each seed is a small dot."

_HOLLOW_MARKS = {"censored": "a lower bound", "edge": "the end of the grid"}

_BUDGETS = "several λ at one η, a run at large λ past its maximum, perhaps in a sweep of its own"
_SCALING = "axes eta and lam; one sweep, or two for two rows"
_DECAY = "axis lam; sweeps of one network and data set, or of two for two rows"
_AUTO = "one sweep with l2.auto and one of constant λ at the same η"

FIGURES: dict[str, PaperFigure] = {
    "1a": PaperFigure(
        caption="Final test accuracy against λ, with a fixed budget and with T ∝ 1/λ.",
        needs="two sweeps over lam: one with a fixed budget, one with budget inverse_lam (the paper's have a schedule)",
        data=budgets.final_accuracy,
        draw=budgets.draw_final_accuracy,
    ),
    "1b": PaperFigure(
        caption="Test accuracy against the budget T, for the predicted λ = c/T and for the tuned λ.",
        needs=_BUDGETS,
        data=prediction.accuracy_of_prediction,
        draw=prediction.draw_accuracy_of_prediction,
    ),
    "1c": PaperFigure(
        caption="Training curves with the dynamical schedule AutoL2, and with the best constant λ.",
        needs=_AUTO,
        data=curves.auto_against_best,
        draw=curves.draw_auto_against_best,
        explanation=_SEED_MEANS,
    ),
    "2": PaperFigure(
        caption="Against λ: a, epochs to maximum test accuracy; b, the maximum; c, the maximum within a budget.",
        needs=_SCALING,
        data=scaling.time_and_accuracy,
        draw=scaling.draw_time_and_accuracy,
        sweeps=2,
    ),
    "2def": PaperFigure(
        caption="Figure 2 for the wide ResNet: d, epochs to maximum test accuracy; e, the maximum; f, within a budget.",
        needs="axes eta and lam; one sweep",
        data=scaling.time_and_accuracy,
        draw=partial(scaling.draw_time_and_accuracy, letters="def"),
        sweeps=1,
    ),
    "3": PaperFigure(
        caption="Figure 2 for the CNN: a to c without batch norm, d to f with batch norm.",
        needs=_SCALING,
        data=scaling.time_and_accuracy,
        draw=scaling.draw_time_and_accuracy,
        sweeps=2,
    ),
    "4": PaperFigure(
        caption="a, c = t*·λ is read from a short run at large λ; b, tuned λ (bars: within 0.1 %) and λ = c/T.",
        needs=_BUDGETS,
        data=prediction.probe_and_tuned,
        draw=prediction.draw_probe_and_tuned,
        explanation="Means over seeds; pale: each seed. Hollow: the end of the grid.",
    ),
    "5ab": PaperFigure(
        caption="Modes of an infinitely wide network. With k = 2 the mode of γ > λ is learned and decays after 1/λ.",
        needs="no sweep: equation (3)",
        data=modes.two_modes,
        draw=modes.draw_two_modes,
        sweeps=0,
        explanation="Dotted: 1/λ.",
    ),
    "5c": PaperFigure(
        caption="Training loss against the time step·η: infinite width with k = 1 and k = 2, and an experiment.",
        needs="column train_loss; sweeps of trainable.kernel with homogeneity 1 and 2, and one of a network, at one λ",
        data=curves.theory_and_experiment,
        draw=curves.draw_theory_and_experiment,
        explanation=_SEED_MEANS,
    ),
    "S1": PaperFigure(
        caption="Epochs to training accuracy 1 against η, by λ.",
        needs="axes eta and lam; points that reach training accuracy 1",
        data=learning_rates.time_to_fit,
        draw=learning_rates.draw_time_to_fit,
    ),
    "S2": PaperFigure(
        caption="Epochs to maximum test accuracy against λ, with momentum.",
        needs="axis lam, mu above 0",
        data=scaling.time_and_momentum,
        draw=scaling.draw_time_and_momentum,
    ),
    "S3": PaperFigure(
        caption="Maximum test accuracy within T against λ, and the predicted λ = c/T (dashed).",
        needs=_BUDGETS,
        data=prediction.accuracy_and_prediction,
        draw=prediction.draw_accuracy_and_prediction,
        explanation=_SEED_DOTS,
    ),
    "S4": PaperFigure(
        caption="Figure S3 with λ = 2c/T.",
        needs=_BUDGETS,
        data=partial(prediction.accuracy_and_prediction, factor=2.0),
        draw=prediction.draw_accuracy_and_prediction,
        explanation=_SEED_DOTS,
    ),
    "S5": PaperFigure(
        caption="Test accuracy against η: a, at training accuracy 1; b, at its maximum. c, training loss.",
        needs="axes eta (two or more) and lam, columns train_acc and train_loss (the paper's loss is mse)",
        data=learning_rates.catapult,
        draw=learning_rates.draw_catapult,
    ),
    "S6": PaperFigure(
        caption="Loss and accuracy while training, for the smallest, middle and largest λ.",
        needs="axis lam, columns train_loss, test_loss, train_acc, test_acc; one row a sweep",
        data=curves.dynamics,
        draw=curves.draw_dynamics,
        sweeps=4,
        explanation=_SEED_MEANS,
    ),
    "S7": PaperFigure(
        caption="Epochs to maximum test accuracy and the maximum against λ, beside λ = 0.",
        needs="axis lam with 0 (the paper's network is under-parameterized)",
        data=scaling.time_and_limits,
        draw=scaling.draw_time_and_limits,
    ),
    "S8": PaperFigure(
        caption="a, maximum test accuracy over η and λ; b, against λ for several T.",
        needs="axes eta and lam, two values or more",
        data=budgets.heat_and_budgets,
        draw=budgets.draw_heat_and_budgets,
    ),
    "S9": PaperFigure(
        caption="a, training curves with AutoL2 and with constant λ; b, their λ.",
        needs=_AUTO,
        data=curves.auto_against_constants,
        draw=curves.draw_auto_against_constants,
        explanation="Accuracies are means over seeds; λ is shown for each seed.",
    ),
    "S10": PaperFigure(
        caption="Figure S9 with a schedule of η.",
        needs=_AUTO + ", both with a schedule",
        data=curves.auto_with_schedule,
        draw=curves.draw_auto_against_constants,
        explanation="Accuracies are means over seeds; λ is shown for each seed.",
    ),
    "SF": PaperFigure(
        caption="Decay time κ at the maximum against the initialization scale σ_w, by λ.",
        needs="axes sigma_w and lam; points that reach a maximum",
        data=initialization.time_and_scale,
        draw=initialization.draw_time_and_scale,
    ),
    "B1": PaperFigure(
        caption="Against λ, by momentum: epochs to maximum test accuracy, the decay time there, and the maximum.",
        needs=_DECAY + ", of several mu",
        data=decay.time_and_decay,
        draw=decay.draw_time_and_decay,
    ),
    "B2": PaperFigure(
        caption="Figure B1 by schedule of η instead of momentum, in runs of one fixed T.",
        needs=_DECAY + ", of several schedules or schedule.warmup",
        data=decay.time_and_decay,
        draw=decay.draw_time_and_decay,
    ),
    "B3": PaperFigure(
        caption="Figure B1 with AdamW.",
        needs=_DECAY,
        data=decay.time_and_decay,
        draw=decay.draw_time_and_decay,
    ),
    "B4": PaperFigure(
        caption="a, tuned λ (bars: within 0.1 %) against T and the λ of two rules; b, accuracies of all three.",
        needs="axis lam; sweeps that differ in a fixed budget",
        data=timescale.tuned_and_timescale,
        draw=timescale.draw_tuned_and_timescale,
        explanation=(
            f"Means over seeds. Dashed: the decay time of the whole run is κ = {decay.PLAIN_SGD_KAPPA:g}. "
            "Dotted: one timescale for all."
        ),
    ),
}


def find_figure(name: str) -> str:
    """Return the name of a figure as ``FIGURES`` has it, from a name in any case.

    Raises:
        InputError: There is no such figure.
    """
    known = {figure.lower(): figure for figure in FIGURES}
    if name.lower() not in known:
        raise InputError(f"figure {name}: no such figure; {suggest(name, FIGURES)}. See 'sweeper figure --list'.")
    return known[name.lower()]


def draw_figure(name: str, tables: Tables) -> Drawing:
    """Draw a figure of the paper from tables of sweeps.

    Args:
        name: Name in ``FIGURES``, in any case.
        tables: Tables of one or more sweeps.

    Raises:
        InputError: There is no such figure, or the sweeps lack what it needs.
    """
    name = find_figure(name)
    layout = FIGURES[name]
    sweeps = ", ".join(tables.names) or "no sweep"
    try:
        if layout.sweeps is not None and len(tables.names) > layout.sweeps:
            limit = f"at most {layout.sweeps} sweep{'s' * (layout.sweeps > 1)}" if layout.sweeps else "no sweep"
            given = len(tables.names)
            raise RequirementError(f"{limit}, but {given} {'is' if given == 1 else 'are'} given")
        data = layout.data(tables)
    except RequirementError as error:
        raise InputError(f"figure {name} of {sweeps}: it needs {error}. In all: {layout.needs}.") from None
    title, caption = f"Figure {name}", f"{layout.caption} {layout.explanation or _explain_marks(data)}"
    figure = layout.draw(data)
    return Drawing(name=f"figure_{name}", title=title, caption=caption, panels=(title,), figure=figure, data=data)


def _explain_marks(data: pd.DataFrame) -> str:
    """Return the meaning of the marks that are in a figure."""
    marks = set(data["mark"])
    hollow = [meaning for mark, meaning in _HOLLOW_MARKS.items() if mark in marks]
    return " ".join(
        [
            _SEED_DOTS,
            *([f"Hollow: {', or '.join(hollow)}."] if hollow else []),
            *(["Dashed: λ = 0."] if "reference" in marks else []),
        ]
    )
