"""What the paper says with each of its figures, and what of ours is put beside it: grids, layout, claims, numbers.

Quotations are from the paper: "v1" is its first version with the supplement, "v2" the later one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from results.figures.axes import plain

__all__ = ["EXHIBITS", "Exhibit", "Expectation", "Number", "Statement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a figure says about one claim of ``results.claims.judge``.

    Attributes:
        claim: its name.
        paper: the paper's number or words for it, short.
        grids: stems of the grids that it is judged on; all of the figure's if empty.
        holds: False where the paper says that the claim does not hold here.
        sibling: why what is found at small scale is not judged; empty if it is.
    """

    claim: str
    paper: str
    grids: tuple[str, ...] = ()
    holds: bool = True
    sibling: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a figure says about two sweeps side by side.

    Attributes:
        claim: of ``results.claims.comparison.compare``: ``best_accuracy``, ``time_epochs``, …
        better: stem of the grid that the paper says is better in it.
        other: stem of the other.
        words: the same in words.
    """

    claim: str
    better: str
    other: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number read off our figure.

    Attributes:
        name: what it is, with its unit.
        paper: the paper's, with the set-up it belongs to; empty where it prints none.
        read: from the table of what the figure shows to the number and a remark; NaN where it is not there.
        most: what it may be at most as the paper has it; None where it is only shown.
    """

    name: str
    paper: str
    read: Callable[[pd.DataFrame], tuple[float, str]]
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One figure of the paper in the gallery, or one beyond the paper (``results.gallery.beyond``).

    Attributes:
        label: as the paper calls it; of one beyond it, B and a number.
        title: what it is about, a few words.
        says: the paper's statement, in its words; beyond it, whose the ``source`` says.
        source: where it says so.
        prints: the numbers that the paper prints with it; empty if it prints none.
        advice: what it means for whoever must choose λ; empty if nothing.
        layout: name in ``results.figures.paper.catalog.FIGURES``.
        grids: stems of the files in ``grids/paper`` (small siblings: ``grids/small``) that it is drawn from.
        eta: that of the paper's panels that show only one, at the paper's scale; None lets the layout choose.
        beyond: not in the paper; its grids are in ``grids/small`` alone.
    """

    label: str
    title: str
    says: str
    source: str
    prints: str = ""
    advice: str = ""
    layout: str
    grids: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    numbers: Sequence[Number] = field(default=())
    eta: float | None = None
    beyond: bool = False


def _means(data: pd.DataFrame, panel: str) -> pd.DataFrame:
    """The means over seeds of one panel."""
    part = data[(data["panel"] == panel) & data["y"].notna()]
    return part[part["seed"].isna()] if "seed" in part else part


def _best_of_fixed(data: pd.DataFrame) -> tuple[float, str]:
    """The best final accuracy with a fixed T (epochs), and its λ."""
    part = _means(data, "final")
    part = part[(part["mark"] == "observed") & part["series"].str.endswith("epochs")]
    if part.empty:
        return np.nan, ""
    best = part.iloc[int(part["y"].to_numpy().argmax())]
    return float(best["y"]), f"at λ = {plain(best['x'])}, {best['series']}"


def _widest_gap(data: pd.DataFrame) -> tuple[float, str]:
    """The largest loss of accuracy by the predicted instead of the tuned λ."""
    part = _means(data, "accuracy")
    table = part.pivot_table(index="x", columns="series", values="y")
    if not {"tuned", "predicted"} <= set(table):
        return np.nan, ""
    gap = (table["tuned"] - table["predicted"]).dropna()
    if gap.empty:
        return np.nan, ""
    return _largest(gap)


def _c(data: pd.DataFrame) -> tuple[float, str]:
    """The probe's c = t*·λ."""
    row = data[(data["panel"] == "probe") & (data["series"] == "c")].iloc[0]
    return float(row["x"]), f"probe at λ = {plain(row['lam'])}"


def _widest_ratio(data: pd.DataFrame) -> tuple[float, str]:
    """The largest factor between the predicted and the tuned λ; left out is a prediction beyond the grid's end."""
    part = data[data["panel"] == "lam"]
    table = part.pivot_table(index="x", columns="series", values="y")
    if not {"tuned", "predicted"} <= set(table):
        return np.nan, ""
    table = table.dropna(subset=["tuned", "predicted"])
    at_edge = table.index.isin(part.loc[part["mark"] == "edge", "x"])
    low_end = table["tuned"] <= np.sqrt(part["y"].min() * part["y"].max())
    beyond = at_edge & ((table["predicted"] < table["tuned"]) == low_end)
    up = (table["tuned"] / table["predicted"])[~beyond]
    if up.empty:
        return np.nan, "at every budget λ_pred and the tuned λ are beyond the end of the grid"
    return _largest(up.where(up > 1, 1 / up))


def _largest(by_budget: pd.Series) -> tuple[float, str]:
    place = int(by_budget.to_numpy().argmax())
    return float(by_budget.iloc[place]), f"at T = {plain(by_budget.index[place])} epochs, of {len(by_budget)} budgets"


def _decades(data: pd.DataFrame) -> tuple[float, str]:
    """Decades of ηλ between the points that have a t*."""
    part = _means(data, "t_star")
    product = (part["eta"] * part["lam"])[part["lam"] > 0].to_numpy(dtype=float)
    return (float(np.log10(product.max() / product.min())), "") if len(product) else (np.nan, "")


def _minimum(series: str) -> Callable[[pd.DataFrame], tuple[float, str]]:
    def read(data: pd.DataFrame) -> tuple[float, str]:
        part = _means(data, "loss")
        part = part[part["series"] == series]
        lowest = part.iloc[int(part["y"].to_numpy().argmin())]
        return float(lowest["x"] * lowest["lam"]), f"a loss of {plain(lowest['y'])} at t = {plain(lowest['x'])}"

    return read


_SLOPE = Statement(claim="scaling", paper="exponent −1")
_SLOPE_LAM = Statement(claim="scaling_lam", paper="exponent −1")
_PLATEAU = Statement(claim="plateau", paper="smaller λ not worse")
_FIXED = Statement(claim="fixed_budget_optimum", paper="an interior λ is best")
_ETA = Statement(claim="eta_independence", paper="only weakly")
_ORDER = Statement(claim="lambda_pred_order", paper="factor ≤ 10", grids=("fig4",))
_CLOSE = Statement(claim="lambda_pred_accuracy", paper="gap ≤ 0.004", grids=("fig4",))
_PROBED = ("fig4", "fig4a-probe")
_AUTO = (
    Expectation(claim="best_accuracy", better="fig1c-auto", other="fig1c-constants", words="AutoL2 more accurate"),
    Expectation(claim="time_epochs", better="fig1c-auto", other="fig1c-constants", words="AutoL2 faster"),
)
_SCALES = (
    "the number of steps until optimal performance is achieved […] scales as λ⁻¹ […]. Moreover, when we evolved the "
    "networks until they have reached optimal performance, the maximum test accuracy for smaller L2 parameters did not "
    "get worse. […] with a fixed number of epochs […] reducing λ beyond a certain value does hurt performance."
)

EXHIBITS: Mapping[str, Exhibit] = {
    "1a": Exhibit(
        label="1a",
        title="Fixed budget and budget ∝ 1/λ",
        says="When the network is trained for a fixed amount of epochs, optimal performance is achieved at a certain "
        "value of λ. But when trained for a time proportional to λ⁻¹, performance plateaus and remains constant down "
        "to the lowest values of λ tested.",
        source="v1, Figure 1; numbers: v2, section 3",
        prints="test accuracy 0.967 at λ = 0.0005, the optimum; 0.960 at λ_pred ≈ 0.0001 (T = 200, T₁ = 0.3 T)",
        layout="1a",
        grids=("fig1a-fixed", "fig1a-inverse"),
        statements=(
            Statement(claim="fixed_budget_optimum", paper="an interior λ is best", grids=("fig1a-fixed",)),
            Statement(claim="plateau", paper="smaller λ not worse", grids=("fig1a-inverse",)),
        ),
        expectations=(
            Expectation(claim="best_accuracy", better="fig1a-inverse", other="fig1a-fixed", words="T ∝ 1/λ better"),
        ),
        numbers=(
            Number(
                name="Best final accuracy, fixed T",
                paper="0.967 at λ = 0.0005 (WRN-28-10, CIFAR-10)",
                read=_best_of_fixed,
            ),
        ),
    ),
    "1b": Exhibit(
        label="1b",
        title="Accuracy at the predicted and at the tuned λ",
        says="our predicted parameter leads to performance that is within 0.4% of the tuned performance on CIFAR-10, "
        "at a cost that is marginally higher than a single training run.",
        source="v1, section 1.1",
        prints="a gap of at most 0.4 %, over T = 50 to 2000 epochs",
        layout="1b",
        grids=_PROBED,
        statements=(_CLOSE,),
        numbers=(
            Number(
                name="Largest gap in accuracy, c from one probe at large λ",
                paper="0.004 (WRN-28-10, CIFAR-10)",
                read=_widest_gap,
                most=0.004,
            ),
        ),
    ),
    "1c": Exhibit(
        label="1c",
        title="AutoL2 against the best constant λ",
        says="We find that AutoL2 trains significantly faster and achieves superior performance.",
        source="v1, section 3",
        layout="1c",
        grids=("fig1c-auto", "fig1c-constants"),
        expectations=_AUTO,
    ),
    "2abc": Exhibit(
        label="2a–c",
        title="Fully connected network on MNIST",
        says=_SCALES,
        source="v1, section 2",
        prints="experiments that span 6 decades of η·λ, in all of Figure 2",
        layout="2",
        grids=("fig2abc",),
        statements=(_SLOPE, _PLATEAU, _ETA, _FIXED),
        numbers=(Number(name="Decades of ηλ", paper="6", read=_decades),),
        eta=0.15,
    ),
    "2def": Exhibit(
        label="2d–f",
        title="Wide ResNet on CIFAR-10, plain SGD",
        says=_SCALES,
        source="v1, section 2",
        prints="experiments that span 6 decades of η·λ, in all of Figure 2",
        layout="2def",
        grids=("fig2def",),
        statements=(_SLOPE, _PLATEAU, _ETA, _FIXED),
        numbers=(Number(name="Decades of ηλ", paper="6 (with 2a–c)", read=_decades),),
        eta=0.2,
    ),
    "3": Exhibit(
        label="3a–f",
        title="CNN on CIFAR-10 without and with batch norm",
        says="CNNs trained with and without batch-norm with learning rate η = 0.01. Presented results follow the same "
        "format as Figure 2.",
        source="v1, Figure 3",
        layout="3",
        grids=("fig3abc", "fig3def"),
        statements=(_SLOPE_LAM, _PLATEAU, _FIXED),
    ),
    "4": Exhibit(
        label="4",
        title="c from a short probe; λ predicted and tuned",
        says="The model is first trained with a large L2 parameter for 2 epochs in order to measure c, and we find "
        "c ≈ 0.0066 […]. Furthermore, the tuned λ values are always within an order of magnitude of our predictions",
        source="v1, section 3",
        prints="c ≈ 0.0066 epochs; λ_pred within a factor of 10 of the tuned λ",
        layout="4",
        grids=_PROBED,
        statements=(_ORDER, _CLOSE),
        numbers=(
            Number(name="c = t*·λ (epochs)", paper="0.0066 (WRN-28-10, η = 0.2, μ = 0.9)", read=_c),
            Number(
                name="Largest factor between λ_pred and tuned λ, c from one probe at large λ",
                paper="below 10",
                read=_widest_ratio,
                most=10.0,
            ),
        ),
    ),
    "5ab": Exhibit(
        label="5a–b",
        title="Theory: two modes, k = 2 and k = 1",
        says="When γ/λ > 1, the function approaches the label mode […] at a time that is of order 1/γ. […] Later, at a "
        "time of order λ⁻¹ the mode decays to zero […]; this late time decay is not present in the linear model.",
        source="v1, section 4",
        prints="λ = 0.01",
        layout="5ab",
    ),
    "5c": Exhibit(
        label="5c",
        title="Theory of infinite width against a wide network",
        says="We see that the agreement extends until the linear model is almost fully trained, at which point the "
        "2-layer model begins deteriorating due to the late time decay.",
        source="v1, section 4",
        prints="λ = 0.002, widths 5,000 (kernel) and 10⁵ (network)",
        layout="5c",
        grids=("fig5c-theory", "fig5c-network"),
        numbers=(
            Number(name="λ·t of the smallest loss, theory k = 2", paper="", read=_minimum("theory, k = 2")),
            Number(name="λ·t of the smallest loss, network", paper="", read=_minimum("experiment")),
        ),
    ),
    "S1": Exhibit(
        label="S1",
        title="Time to training accuracy 1",
        says="the time it takes to reach training accuracy 1 depends very mildly on λ, and for small enough learning "
        "rates it scales like 1/η.",
        source="v1, SM C.1",
        layout="S1",
        grids=("fig2abc",),
        statements=(
            Statement(claim="fit_time", paper="exponent −1"),
            Statement(claim="fit_time_lam", paper="very mildly"),
        ),
    ),
    "S2": Exhibit(
        label="S2",
        title="t* with momentum",
        says="our observations also hold in the presence of momentum and data augmentation",
        source="v1, section 2; Figure S2",
        layout="S2",
        grids=("fig4",),
        statements=(_SLOPE_LAM,),
    ),
    "S3": Exhibit(
        label="S3",
        title="Accuracy against λ for several budgets, and λ_pred",
        says="We see that this gives us the optimal λ within an order of magnitude.",
        source="v1, Figure S3",
        prints="λ_pred within a factor of 10 of the tuned λ",
        layout="S3",
        grids=_PROBED,
        statements=(_ORDER,),
    ),
    "S4": Exhibit(
        label="S4",
        title="The same with 2c",
        says="while the scaling works across λ’s, generally lower λ’s have a scaling ∼2 times higher than the larger "
        "λ’s.",
        source="v1, SM C.3",
        prints="2c = 0.0132 epochs",
        layout="S4",
        grids=_PROBED,
        statements=(Statement(claim="small_lambda_ratio", paper="about 2", grids=("fig4",)),),
    ),
    "S5": Exhibit(
        label="S5",
        title="Squared error and the catapult",
        says="even if there is a strong dependence of the test accuracy on the learning rate when the training "
        "accuracy is 1, this dependence flattens out when evolved until convergence in the presence of λ. […] the "
        "training MSE loss has a minimum after which it increases.",
        source="v1, SM C.4 and Figure S5",
        layout="S5",
        grids=("figS5",),
        statements=(
            Statement(claim="catapult", paper="flattens out"),
            Statement(claim="train_loss_minimum", paper="∝ 1/(ηλ)"),
        ),
    ),
    "S6": Exhibit(
        label="S6",
        title="Loss and accuracy while training",
        says="This shows the dynamics of experiments in figures 2, 3.",
        source="v1, Figure S6",
        layout="S6",
        grids=("fig2abc", "fig2def", "fig3abc", "fig3def"),
    ),
    "S7": Exhibit(
        label="S7",
        title="Where the law fails: a narrow network",
        says="the time it takes to reach this maximum accuracy scales like 1/λ for λ ≳ λ_opt, but becomes constant "
        "(equal to the value for λ = 0) for λ ≲ λ_opt. This peak of the maximum test accuracy happens before the "
        "training accuracy reaches 1.",
        source="v1, SM D",
        layout="S7",
        grids=("figS7",),
        statements=(
            Statement(claim="lambda_opt", paper="1/λ above λ_opt, constant below"),
            Statement(claim="overparameterized", paper="no: below training accuracy 1", holds=False),
        ),
    ),
    "S8": Exhibit(
        label="S8",
        title="Where the law fails: ResNet-50 on ImageNet",
        says="performance is rather similar along the diagonal. […] one cannot reach the same performance with a "
        "smaller λ by increasing T.",
        source="v1, Figure S8",
        prints="14,232 “epochs”, which must be steps; η = 0.1",
        layout="S8",
        grids=("figS8a", "figS8b"),
        statements=(
            Statement(
                claim="product_constant",
                paper="performance constant",
                grids=("figS8a",),
                sibling="not judged: this network has no batch norm, which makes the scale of weights immaterial",
            ),
            Statement(claim="overparameterized", paper="no", holds=False, grids=("figS8a",)),
        ),
    ),
    "S9": Exhibit(
        label="S9",
        title="AutoL2 against several constant λ",
        says="We compare the AutoL2 with different fixed L2 parameters and we see how it trains faster and gets better "
        "accuracy.",
        source="v1, Figure S9",
        layout="S9",
        grids=("fig1c-auto", "fig1c-constants"),
        expectations=_AUTO,
    ),
    "S10": Exhibit(
        label="S10",
        title="AutoL2 with a schedule of η",
        says="While AutoL2 trains faster and better in the beginning, it can’t keep pace with the big jumps of "
        "constant λ.",
        source="v1, Figure S10",
        layout="S10",
        grids=("figS10-auto", "figS10-constant"),
        expectations=(
            Expectation(
                claim="best_accuracy",
                better="figS10-constant",
                other="figS10-auto",
                words="constant λ ahead at the end",
            ),
        ),
    ),
    "SF": Exhibit(
        label="SF",
        title="Initialization scale",
        says="We expect the peak performance to depend on λ and η, but not on other quantities such as the "
        "initialization scale. We verify this empirically in SM F.",
        source="v2, section 5",
        layout="SF",
        grids=("figSF",),
        statements=(Statement(claim="init_scale", paper="no dependence"),),
    ),
}
