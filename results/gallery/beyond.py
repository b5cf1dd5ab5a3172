"""What the gallery shows beyond the paper: momentum, schedules of η and AdamW, each with who says what of it.

Their grids are in ``grids/small`` alone: there is no set-up of the paper to repeat.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from results.figures.axes import plain
from results.figures.paper.decay import KAPPA
from results.gallery.exhibits import Exhibit, Number, Statement

__all__ = ["BEYOND"]


def _timescales(data: pd.DataFrame) -> tuple[float, str]:
    """The longest timescale of a tuned λ over the shortest, in epochs: τ = T/s, s the decay time of the run."""
    lams = data[data["panel"] == "lam"].pivot_table(index=["eta", "x"], columns="series", values="y")
    epochs = lams.index.get_level_values("x").to_numpy(dtype=float)
    tau = epochs * (lams["share"] / lams["tuned"]).to_numpy() / KAPPA
    words = f"{tau.min():.3g} to {tau.max():.3g} epochs, in runs of {epochs.min():g} to {epochs.max():g}"
    return float(tau.max() / tau.min()), words


def _loss_by(rule: str) -> Number:
    """The largest loss of accuracy by the λ of a rule instead of the tuned one."""

    def read(data: pd.DataFrame) -> tuple[float, str]:
        part = data[data["panel"] == "accuracy"]
        table = part.pivot_table(index=["eta", "x"], columns="series", values="y")
        if rule not in table:
            return np.nan, ""
        gap = (table["tuned"] - table[rule]).dropna()
        eta, epochs = gap.index[int(gap.to_numpy().argmax())]
        return float(gap.max()), f"at T = {plain(epochs)} epochs, η = {plain(eta)}, of {len(gap)} pairs"

    words = {"share": f"τ a share of the run, T/{KAPPA:g}", "epochs": "one τ for all, fitted to these runs"}
    return Number(name=f"Largest loss of accuracy, {words[rule]}", paper="", read=read)


_REPORTED = "reported, not judged"

BEYOND: Mapping[str, Exhibit] = {
    "B1": Exhibit(
        label="B1",
        title="Momentum",
        says="our observations also hold in the presence of momentum and data augmentation",
        source="The paper, v1, section 2. Read as: with the decay time Σηλ/(1−μ) the law is one for all μ",
        prints="c ≈ 0.0066 epochs at η = 0.2, μ = 0.9 (v1, section 3): κ ≈ 0.65 by the λ of its code, 1.3 by torch’s",
        advice="with momentum, λ = κ(1−μ)/(η · steps): ten times smaller at μ = 0.9 than at 0.",
        layout="B1",
        grids=("momentum", "momentum-mnist"),
        statements=(Statement(claim="scaling", paper="exponent −1"), Statement(claim="collapse", paper="one κ")),
        beyond=True,
    ),
    "B2": Exhibit(
        label="B2",
        title="Warm-up and cosine",
        says="The decay time Σηλ/(1−μ) counts what η was at each step, so that the maximum should come at the κ of "
        "constant η whatever the schedule, if the run is long enough to get there.",
        source="This project’s reading of the paper’s law; the paper has no rule for warm-up and cosine",
        advice="with warm-up or a cosine, put the mean of η over the run in place of η: twice the λ for a cosine.",
        layout="B2",
        grids=("warmup", "cosine", "warmup-mnist", "cosine-mnist"),
        statements=(Statement(claim="schedule_collapse", paper="one κ"),),
        beyond=True,
    ),
    "B3": Exhibit(
        label="B3",
        title="AdamW at constant η",
        says="The law is one of SGD. AdamW decays weights by ηλ too, but its steps do not grow with the gradient: "
        "t* need not go as 1/(ηλ), and the exponent is to be reported as it is found.",
        source="This project; the paper trains with SGD alone",
        advice="with AdamW, do not scale λ as 1/T: t* hardly depends on it.",
        layout="B3",
        grids=("adamw", "adamw-mnist"),
        statements=(
            Statement(claim="scaling", paper="", sibling=_REPORTED),
            Statement(claim="scaling_eta", paper="", sibling=_REPORTED),
            Statement(claim="scaling_lam", paper="", sibling=_REPORTED),
        ),
        beyond=True,
    ),
    "B4": Exhibit(
        label="B4",
        title="The timescale of AdamW, with warm-up and cosine",
        says="We find that the optimal timescale, measured in epochs, is roughly constant as we change model and "
        "dataset size.",
        source="Wang & Aitchison 2024, How to set AdamW’s weight decay as you scale model and dataset size "
        "(arXiv 2405.13698), abstract. The timescale is τ = 1/(ηλ); here model and data stay, the length of the run "
        "changes",
        prints="τ not much below one epoch nor much above the whole run (its first version)",
        advice="with AdamW, keep λ when only T changes; so it is here, on one data set.",
        layout="B4",
        grids=("adamw-cosine-30", "adamw-cosine-100", "adamw-cosine-300"),
        numbers=(
            Number(name="Timescale of the tuned λ, longest over shortest", paper="roughly constant", read=_timescales),
            _loss_by("epochs"),
            _loss_by("share"),
        ),
        beyond=True,
    ),
}
