"""Exhibits of the figures in the paper's supplement, S1 to S10, and of its section F."""

from collections.abc import Mapping

from results.gallery.exhibit import Exhibit, Expectation, Statement
from results.gallery.main_figures import AUTO_L2_WINS, EXPONENT_OF_LAM, PREDICTION_WITHIN_FACTOR, PROBE_GRIDS

SUPPLEMENT: Mapping[str, Exhibit] = {
    "S1": Exhibit(
        label="S1",
        title="Time to training accuracy 1",
        assertion=(
            "the time it takes to reach training accuracy 1 depends very mildly on λ, and for small enough learning "
            "rates it scales like 1/η."
        ),
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
        assertion="our observations also hold in the presence of momentum and data augmentation",
        source="v1, section 2; Figure S2",
        layout="S2",
        grids=("fig4",),
        statements=(EXPONENT_OF_LAM,),
    ),
    "S3": Exhibit(
        label="S3",
        title="Accuracy against λ for several budgets, and λ_pred",
        assertion="We see that this gives us the optimal λ within an order of magnitude.",
        source="v1, Figure S3",
        printed="λ_pred within a factor of 10 of the tuned λ",
        layout="S3",
        grids=PROBE_GRIDS,
        statements=(PREDICTION_WITHIN_FACTOR,),
    ),
    "S4": Exhibit(
        label="S4",
        title="The same with 2c",
        assertion=(
            "while the scaling works across λ’s, generally lower λ’s have a scaling ∼2 times higher than the larger "
            "λ’s."
        ),
        source="v1, SM C.3",
        printed="2c = 0.0132 epochs",
        layout="S4",
        grids=PROBE_GRIDS,
        statements=(Statement(claim="small_lambda_ratio", paper="about 2", grids=("fig4",)),),
    ),
    "S5": Exhibit(
        label="S5",
        title="Squared error and the catapult",
        assertion=(
            "even if there is a strong dependence of the test accuracy on the learning rate when the training accuracy "
            "is 1, this dependence flattens out when evolved until convergence in the presence of λ. […] the training "
            "MSE loss has a minimum after which it increases."
        ),
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
        assertion="This shows the dynamics of experiments in figures 2, 3.",
        source="v1, Figure S6",
        layout="S6",
        grids=("fig2abc", "fig2def", "fig3abc", "fig3def"),
    ),
    "S7": Exhibit(
        label="S7",
        title="Where the law fails: a narrow network",
        assertion=(
            "the time it takes to reach this maximum accuracy scales like 1/λ for λ ≳ λ_opt, but becomes constant "
            "(equal to the value for λ = 0) for λ ≲ λ_opt. This peak of the maximum test accuracy happens before the "
            "training accuracy reaches 1."
        ),
        source="v1, SM D",
        layout="S7",
        grids=("figS7",),
        statements=(
            Statement(claim="lambda_opt", paper="1/λ above λ_opt, constant below"),
            Statement(claim="overparameterized", paper="no: below training accuracy 1", holds=False),
        ),
        left_open=(
            "Between the best λ and the λ at which nothing is learned lie 0.7 decades, and t* of one run scatters by "
            "a factor of 1.4. Eight seeds and 20 000 test samples gave an exponent of −0.82 [−1.16, −0.28] above the "
            "best λ."
        ),
    ),
    "S8": Exhibit(
        label="S8",
        title="Where the law fails: ResNet-50 on ImageNet",
        assertion=(
            "performance is rather similar along the diagonal. […] one cannot reach the same performance with a "
            "smaller λ by increasing T."
        ),
        source="v1, Figure S8",
        printed="14,232 “epochs”, which must be steps; η = 0.1",
        layout="S8",
        grids=("figS8a", "figS8b"),
        statements=(
            Statement(
                claim="product_constant",
                paper="performance constant",
                grids=("figS8a",),
                unjudged_at_small_scale=(
                    "not judged: this network has no batch norm, which makes the scale of weights immaterial"
                ),
            ),
            Statement(claim="overparameterized", paper="no", holds=False, grids=("figS8a",)),
        ),
    ),
    "S9": Exhibit(
        label="S9",
        title="AutoL2 against several constant λ",
        assertion=(
            "We compare the AutoL2 with different fixed L2 parameters and we see how it trains faster and gets better "
            "accuracy."
        ),
        source="v1, Figure S9",
        layout="S9",
        grids=("fig1c-auto", "fig1c-constants"),
        expectations=AUTO_L2_WINS,
    ),
    "S10": Exhibit(
        label="S10",
        title="AutoL2 with a schedule of η",
        assertion=(
            "While AutoL2 trains faster and better in the beginning, it can’t keep pace with the big jumps of constant "
            "λ."
        ),
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
        assertion=(
            "We expect the peak performance to depend on λ and η, but not on other quantities such as the "
            "initialization scale. We verify this empirically in SM F."
        ),
        source="v2, section 5",
        layout="SF",
        grids=("figSF",),
        statements=(Statement(claim="init_scale", paper="no dependence"),),
    ),
}
