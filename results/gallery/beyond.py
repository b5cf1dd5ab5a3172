"""Exhibits beyond the paper: momentum, schedules of η and AdamW, each with the source of its assertion.

Their grids are in ``grids/small`` alone: the paper has no set-up to repeat.
"""

from collections.abc import Mapping

from results.figures.paper.decay import PLAIN_SGD_KAPPA
from results.gallery import readings
from results.gallery.exhibit import Exhibit, Number, Statement

_NOT_JUDGED = "reported, not judged"

BEYOND: Mapping[str, Exhibit] = {
    "B1": Exhibit(
        label="B1",
        title="Momentum",
        assertion="our observations also hold in the presence of momentum and data augmentation",
        source="The paper, v1, section 2. Read as: in terms of the decay time Σηλ/(1−μ), one law holds for all μ",
        printed="c ≈ 0.0066 epochs at η = 0.2, μ = 0.9 (v1, section 3): κ ≈ 0.65 by the λ of its code, 1.3 by torch’s",
        advice="with momentum, λ = κ(1−μ)/(η · steps): ten times smaller at μ = 0.9 than at 0.",
        layout="B1",
        grids=("momentum", "momentum-mnist"),
        statements=(Statement(claim="scaling", paper="exponent −1"), Statement(claim="collapse", paper="one κ")),
        beyond=True,
    ),
    "B2": Exhibit(
        label="B2",
        title="Warm-up and cosine",
        assertion=(
            "The decay time Σηλ/(1−μ) counts η as it was at each step. Whatever the schedule, the maximum should "
            "therefore come at the κ of constant η, if the run is long enough to get there."
        ),
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
        assertion=(
            "The law is a law of SGD. AdamW decays weights by ηλ too, but its steps do not grow with the gradient. "
            "t* therefore need not scale as 1/(ηλ), and the exponent is reported as it is found."
        ),
        source="This project; the paper trains with SGD alone",
        advice="with AdamW, do not scale λ as 1/T: t* hardly depends on it.",
        layout="B3",
        grids=("adamw", "adamw-mnist"),
        statements=(
            Statement(claim="scaling", paper="", unjudged_at_small_scale=_NOT_JUDGED),
            Statement(claim="scaling_eta", paper="", unjudged_at_small_scale=_NOT_JUDGED),
            Statement(claim="scaling_lam", paper="", unjudged_at_small_scale=_NOT_JUDGED),
        ),
        beyond=True,
    ),
    "B4": Exhibit(
        label="B4",
        title="The timescale of AdamW, with warm-up and cosine",
        assertion=(
            "We find that the optimal timescale, measured in epochs, is roughly constant as we change model and "
            "dataset size."
        ),
        source=(
            "Wang & Aitchison 2024, How to set AdamW’s weight decay as you scale model and dataset size (arXiv "
            "2405.13698), abstract. The timescale is τ = 1/(ηλ); here model and data stay, the length of the run "
            "changes"
        ),
        printed="τ not much below one epoch nor much above the whole run (its first version)",
        advice="with AdamW, keep λ when only T changes; so it is here, on one data set.",
        layout="B4",
        grids=("adamw-cosine-30", "adamw-cosine-100", "adamw-cosine-300"),
        numbers=(
            Number(
                name="Timescale of the tuned λ, longest over shortest",
                paper="roughly constant",
                read=readings.timescale_range,
            ),
            Number(
                name="Largest loss of accuracy, one τ for all, fitted to these runs",
                paper="",
                read=readings.largest_loss_by_rule("epochs"),
            ),
            Number(
                name=f"Largest loss of accuracy, τ a share of the run, T/{PLAIN_SGD_KAPPA:g}",
                paper="",
                read=readings.largest_loss_by_rule("share"),
            ),
        ),
        beyond=True,
    ),
}
