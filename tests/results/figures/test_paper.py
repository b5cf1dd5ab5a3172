"""Figures of the paper from small tables whose every number can be checked by hand."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from results.analysis.budgets import within_budget
from results.analysis.peaks import find_peaks
from results.analysis.selection import in_law
from results.figures.drawing import Drawing, save
from results.figures.paper.catalog import FIGURES, draw_figure
from results.figures.paper.means import MAX_ROWS_PER_CURVE, low_middle_high, mean_curves, means_and_seeds, pick_evenly
from results.figures.paper.modes import evolve_mode
from results.figures.paper.sources import NO_SWEEPS, Tables
from results.figures.style import PRINT_DPI
from results.gallery.beyond import BEYOND
from search_spaces.errors import InputError

EPOCHS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
MEASURED = ["step", "epoch", "decay_time", "lam_t", "train_acc", "test_acc", "train_loss", "test_loss"]


def run(lam, peak, top, *, eta=1.0, seed=0, mu=0.0, until=1000, sweep="a", **columns) -> pd.DataFrame:
    """One point, an epoch a step: accuracy is ``top`` at epoch ``peak``, 0.1 less a decade away; then it falls on."""
    epoch = np.array([e for e in EPOCHS if e <= until], dtype=float)
    test_acc = top - 0.1 * np.abs(np.log10(epoch / peak))
    rows = {
        "sweep": sweep, "point": f"{sweep}-{eta}-{lam}-{mu}-{seed}", "seed": seed, "eta": eta, "lam": lam, "mu": mu,
        "budget": float(until), "step": epoch.astype(int), "epoch": epoch, "decay_time": epoch * eta * lam / (1 - mu),
        "lam_t": lam, "train_acc": np.where(epoch >= 10, 1.0, 0.5), "test_acc": test_acc,
        "train_loss": 1 / epoch + epoch / 400, "test_loss": 2 / epoch,
    }  # fmt: skip
    return pd.DataFrame(rows | columns)


def tables(*runs: pd.DataFrame, budgets=(20, 100), eta=None, **facts) -> Tables:
    """Tables of runs; ``facts`` are columns of the table of sweeps."""
    rows = pd.concat(runs, ignore_index=True)
    points = rows.drop(columns=MEASURED).drop_duplicates("point", ignore_index=True).assign(outcome="completed")
    peaks = find_peaks(rows, points)
    known = {"auto": False, "schedule": "constant", "homogeneity": np.nan, "trains": "fc on digits"} | facts
    sweeps = pd.DataFrame({"sweep": rows["sweep"].unique()}).assign(**known)
    within = within_budget(rows, budgets)
    within["sweep"] = within["point"].map(points.set_index("point")["sweep"])
    return Tables(sweeps=sweeps, rows=rows, peaks=peaks.assign(in_law=in_law(peaks)), within=within, eta=eta)


def ladder(**look) -> list[pd.DataFrame]:
    """t* = 1/λ at three λ, each 0.01 better than the next, and λ = 0, whose maximum is not seen to be past."""
    return [run(lam, 1 / lam, 0.85 - 0.01 * k, **look) for k, lam in enumerate((0.01, 0.02, 0.1))] + [
        run(0.0, 1000, 0.8, **look)
    ]


def shown(data: pd.DataFrame, *names: str, **where: object) -> list[tuple]:
    """Rows of a figure's table as tuples, numbers rounded."""
    for name, value in where.items():
        data = data[data[name].isna()] if value is None else data[data[name] == value]
    return [tuple(round(v, 6) if isinstance(v, float) else v for v in row) for row in data[list(names)].to_numpy()]


def auto(**facts) -> Tables:
    falling = {"lam_t": [0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]}
    runs = [run(0.1, 50, 0.9, until=100, sweep="falls", **falling), *ladder(sweep="constant")]
    return tables(*runs, auto=[True, False], **facts)


def theory() -> Tables:
    runs = [run(0.01, 50, 0.9, eta=eta, sweep=sweep) for sweep, eta in (("k1", 1.0), ("k2", 1.0), ("net", 0.5))]
    return tables(*runs, homogeneity=[1.0, 2.0, np.nan])


def scales() -> Tables:
    """κ = 1 at σ_w = 1 and 2 at σ_w = 2, for two λ; one point's t* is a lower bound."""
    runs = [run(lam, w / lam, 0.9, sweep=f"s{w}", sigma_w=float(w)) for lam in (0.01, 0.1) for w in (1, 2)]
    return tables(*runs, run(0.005, 1000, 0.9, sweep="late", sigma_w=1.0))


def schedules() -> Tables:
    """t* = 1/λ at constant η, 2/λ after warm-up and with a cosine, on digits; at constant η on MNIST too."""
    warm = {"schedule.warmup": 0.1}
    runs = [run(0.01 * k, 100 / k, 0.9, sweep="constant", **{"schedule.warmup": 0.0}) for k in (1, 10)]
    runs += [run(0.1, 20, 0.9, sweep="constant", seed=1, **warm), run(0.1, 20, 0.9, sweep="cosine", **warm)]
    names = {"schedule": ["constant", "cosine", "constant"], "trains": ["fc on digits"] * 2 + ["fc on mnist"]}
    return tables(*runs, run(0.1, 10, 0.7, sweep="mnist", eta=0.5, **{"schedule.warmup": 0.0}), **names)


def lengths() -> Tables:
    """Runs of 100 and of 1000 epochs: the best λ is 0.01 in both."""
    tops = {0.001: 0.8, 0.01: 0.9, 0.1: 0.7}
    return tables(*(run(lam, 50, top, until=t, sweep=f"T{t}") for t in (100, 1000) for lam, top in tops.items()))


# What each figure is drawn from in the tests of all figures together.
EXAMPLES = {
    "1a": lambda: tables(
        *(run(lam, 100, 0.9 - lam, until=200, sweep="fixed") for lam in (0.01, 0.02)),
        *(run(lam, 10, 0.8, until=until, sweep="long") for lam, until in ((0.01, 1000), (0.02, 500))),
    ),
    "1b": lambda: tables(*ladder()),
    "1c": auto,
    "2": lambda: tables(*ladder(), *ladder(eta=2.0), *ladder(sweep="b")),
    "2def": lambda: tables(*ladder()),
    "3": lambda: tables(*ladder(), *ladder(sweep="b")),
    "4": lambda: tables(*ladder(), *ladder(seed=1)),
    "5ab": lambda: NO_SWEEPS,
    "5c": theory,
    "S1": lambda: tables(*ladder(), *ladder(eta=2.0)),
    "S2": lambda: tables(*ladder(mu=0.9)),
    "S3": lambda: tables(*ladder()),
    "S4": lambda: tables(*ladder()),
    "S5": lambda: tables(*ladder(), *ladder(eta=2.0)),
    "S6": lambda: tables(*ladder(), *ladder(sweep="b")),
    "S7": lambda: tables(*ladder()),
    "S8": lambda: tables(*ladder(), *ladder(eta=2.0)),
    "S9": auto,
    "S10": lambda: auto(schedule="piecewise"),
    "SF": scales,
    "B1": lambda: tables(*ladder(), *ladder(mu=0.9), *ladder(mu=0.9, eta=2.0)),
    "B2": schedules,
    "B3": lambda: tables(*ladder(), *ladder(eta=2.0)),
    "B4": lengths,
}


@cache
def example(name: str) -> Drawing:
    return draw_figure(name, EXAMPLES[name]())


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_its_files_appear_whole(name, tmp_path):
    drawing = example(name)
    assert FIGURES[name].caption in drawing.caption
    save(drawing, tmp_path, PRINT_DPI // 4)
    stem = f"figure_{name}"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{stem}.csv", f"{stem}.png", f"{stem}.svg"]
    assert (tmp_path / f"{stem}.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    assert (tmp_path / f"{stem}.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
    written = pd.read_csv(tmp_path / f"{stem}.csv")
    assert list(written.columns) == list(drawing.data.columns)
    assert len(written) == len(drawing.data) > 0


@pytest.mark.parametrize("name", FIGURES)
def test_no_words_of_a_figure_lie_on_others(name):
    figure = example(name).figure
    figure.draw_without_rendering()
    boxes = [(t.get_text(), t.get_window_extent()) for t in words(figure) if t.get_text().strip()]
    edge = figure.bbox
    outside = [
        text for text, box in boxes if box.x0 < edge.x0 or box.x1 > edge.x1 or box.y0 < edge.y0 or box.y1 > edge.y1
    ]
    assert outside == []
    pairs = [(a, b) for k, (a, p) in enumerate(boxes) for b, q in boxes[k + 1 :] if p.overlaps(q)]
    assert pairs == []


def words(figure) -> list[Text]:
    """Every text that is drawn."""
    found = list(figure.texts)
    for legend in figure.legends:
        found += legend.get_texts()
    for ax in figure.axes:
        found += ax.texts
        if ax.axison:
            found += [ax.xaxis.label, ax.yaxis.label]
            for axis in (ax.xaxis, ax.yaxis):
                low, high = sorted(axis.get_view_interval())
                found += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return found


# ------------------------------------------------------------------------------ what each figure shows


def test_figure_2_shows_times_and_accuracies():
    data = draw_figure("2", tables(*ladder(), eta=1.0)).data
    assert shown(data, "x", "y", "mark", panel="t_star") == [
        (0.01, 100.0, "observed"), (0.02, 50.0, "observed"), (0.1, 10.0, "observed"),
    ]  # fmt: skip
    assert shown(data, "lam", "y", "mark", panel="best") == [
        (0.01, 0.85, "observed"), (0.02, 0.84, "observed"), (0.1, 0.83, "observed"), (0.0, 0.8, "reference"),
    ]  # fmt: skip
    # within 20 epochs: 0.85 - 0.1·log10(5), 0.84 - 0.1·log10(2.5), 0.83; λ = 0: 0.8 - 0.1·log10(50)
    assert shown(data, "lam", "y", "mark", panel="within", budget_at=20.0) == [
        (0.01, 0.780103, "observed"), (0.02, 0.800206, "observed"), (0.1, 0.83, "observed"),
        (0.0, 0.630103, "reference"),
    ]  # fmt: skip


def test_figure_2_has_a_row_for_each_sweep_and_the_best_lam_zero_over_all_eta():
    data = draw_figure("2", EXAMPLES["2"]()).data
    assert data.groupby("sweep").size().to_dict() == {"a": 6 + 7 + 8, "b": 3 + 4 + 8}
    assert shown(data, "sweep", "y", panel="best", mark="reference") == [("a", 0.8), ("b", 0.8)]


def test_seeds_are_averaged_and_shown():
    other = [run(0.01, 50, 0.89, seed=1), run(0.02, 1000, 0.9, seed=1), run(0.1, 10, 0.83, seed=1)]
    data = draw_figure("2def", tables(*ladder(), *other)).data
    at = {"panel": "t_star", "lam": 0.01}
    assert shown(data, "y", "seeds", seed=None, **at) == [(pytest.approx(np.sqrt(100 * 50)), 2)]
    assert shown(data, "y", "seed", seeds=1, **at) == [(100.0, 0), (50.0, 1)]
    assert shown(data, "mark", panel="t_star", seed=None, lam=0.02) == [("censored",)]
    assert shown(data, "y", panel="best", seed=None, lam=0.01) == [(0.87,)]


def test_broken_points_are_crosses_and_no_part_of_a_mean():
    given = tables(*ladder(), run(0.1, 10, 0.7, seed=1))
    given.peaks["outcome"] = np.where((given.peaks["lam"] == 0.1) & (given.peaks["seed"] == 1), "diverged", "completed")
    data = draw_figure("2", given).data
    assert shown(data, "y", "mark", panel="best", lam=0.1) == [(0.83, "observed"), (0.7, "broken")]
    assert shown(data, "y", panel="t_star", lam=0.1) == [(10.0,)]


def test_figure_1a_shows_the_end_of_each_rule():
    data = draw_figure("1a", EXAMPLES["1a"]()).data
    # top - 0.1·log10(until/peak)
    assert shown(data, "series", "x", "y") == [
        ("T = 200 epochs", 0.01, 0.859897), ("T = 200 epochs", 0.02, 0.849897),
        ("T = 10/λ", 0.01, 0.6), ("T = 10/λ", 0.02, 0.630103),
    ]  # fmt: skip


def test_figure_1b_compares_accuracies():
    data = draw_figure("1b", tables(*ladder())).data
    # the probe is λ = 0.1: c = 10·0.1 = 1, so λ_pred = 0.05 and 0.01
    assert shown(data, "x", "lam", "y", series="tuned") == [(20.0, 0.1, 0.83), (100.0, 0.01, 0.85)]
    between = 0.800206 + (0.83 - 0.800206) * np.log(0.05 / 0.02) / np.log(0.1 / 0.02)
    assert shown(data, "x", "lam", "y", series="predicted") == [
        (20.0, 0.05, pytest.approx(between, abs=1e-5)),
        (100.0, 0.01, 0.85),
    ]
    assert shown(data, "y", series="zero") == [(0.630103,), (0.7,)]


def test_figure_4_marks_c_and_the_spread_of_tuned_lam():
    near = run(0.05, 20, 0.8295)  # within 0.1 % of the best at T = 20
    data = draw_figure("4", tables(*ladder(), near)).data
    assert shown(data, "lam", "x", series="c") == [(0.1, 1.0)]
    curve = data[data["series"] == "curve"]
    np.testing.assert_allclose(curve["x"], np.array(EPOCHS) * 0.1)
    np.testing.assert_allclose(curve["y"], 0.83 - 0.1 * np.abs(np.log10(np.array(EPOCHS) / 10)), rtol=1e-6)
    assert shown(data, "x", "y", "low", "high", "mark", series="tuned") == [
        (20.0, 0.1, 0.05, 0.1, "edge"), (100.0, 0.01, 0.01, 0.01, "edge"),
    ]  # fmt: skip
    assert shown(data, "x", "y", series="predicted") == [(20.0, 0.05), (100.0, 0.01)]


def test_a_probe_of_another_sweep_gives_c():
    data = draw_figure("4", tables(*ladder(), run(0.5, 5, 0.6, sweep="probe", until=100))).data
    assert shown(data, "lam", "x", series="c") == [(0.5, 2.5)]


def test_a_probe_whose_rise_was_not_measured_is_passed_over():
    data = draw_figure("4", tables(*ladder(), run(0.5, 2, 0.6))).data
    assert shown(data, "lam", "x", series="c") == [(0.1, 1.0)]


@pytest.mark.parametrize(("name", "predicted"), [("S3", [0.05, 0.01]), ("S4", [0.1, 0.02])])
def test_figures_s3_and_s4_mark_the_predicted_lam(name, predicted):
    data = draw_figure(name, tables(*ladder())).data
    assert shown(data, "budget_at", "x", mark="prediction") == [*zip([20.0, 100.0], predicted, strict=True)]
    assert shown(data, "x", "y", mark="observed", budget_at=100.0) == [
        (0.01, 0.85), (0.02, 0.84), (0.1, 0.83),
    ]  # fmt: skip


def test_figure_s1_shows_the_time_to_fit():
    never = run(0.1, 10, 0.8, eta=2.0, train_acc=0.9)
    half = [run(0.02, 10, 0.8, eta=2.0), run(0.02, 10, 0.8, eta=2.0, seed=1, train_acc=0.9)]
    data = draw_figure("S1", tables(*ladder(), never, *half)).data
    assert shown(data, "eta", "lam", "y", "mark") == [
        (1.0, 0.0, 10.0, "observed"), (1.0, 0.01, 10.0, "observed"), (1.0, 0.02, 10.0, "observed"),
        (1.0, 0.1, 10.0, "observed"), (2.0, 0.02, 10.0, "censored"),
    ]  # fmt: skip


def test_figure_s2_has_the_line_of_the_law():
    data = draw_figure("S2", tables(*ladder(mu=0.9))).data
    assert shown(data, "x", "y", mark="prediction") == [(0.01, 100.0), (0.1, 10.0)]


def test_figure_s5_compares_two_times():
    data = draw_figure("S5", tables(*ladder(), *ladder(eta=2.0), eta=2.0)).data
    # training accuracy is 1 from epoch 10 on: λ = 0.01 is then at 0.85 - 0.1, λ = 0.1 at its maximum
    assert shown(data, "x", "y", panel="fitted", lam=0.01) == [(1.0, 0.75), (2.0, 0.75)]
    assert shown(data, "x", "y", panel="fitted", lam=0.1) == [(1.0, 0.83), (2.0, 0.83)]
    assert shown(data, "x", "y", panel="best", lam=0.01) == [(1.0, 0.85), (2.0, 0.85)]
    # 1/t + t/400 is least at t = 20: 0.1
    assert shown(data, "eta", "lam", "x", "y", panel="minimum") == [
        (2.0, lam, 20.0, 0.1) for lam in (0, 0.01, 0.02, 0.1)
    ]


def test_figure_s6_takes_three_lam():
    data = draw_figure("S6", tables(*ladder(), run(0.05, 20, 0.83))).data
    assert sorted(data["lam"].unique()) == [0.01, 0.02, 0.1]
    assert shown(data, "x", "y", panel="loss", series="test", lam=0.01)[:2] == [(1.0, 2.0), (2.0, 1.0)]
    assert shown(data, "y", panel="accuracy", series="train", lam=0.1)[3:5] == [(1.0,), (1.0,)]


def test_figure_s7_sets_both_beside_lam_zero():
    data = draw_figure("S7", tables(*ladder())).data
    # t* of λ = 0: the first epoch within 0.5 % of its maximum, at the end of the run, hence a bound
    assert shown(data, "y", "series", mark="reference", panel="t_star") == [(1000.0, "lower bound")]
    assert shown(data, "y", mark="reference", panel="best") == [(0.8,)]


def test_figure_s8_is_a_map_and_lines():
    data = draw_figure(
        "S8", tables(*ladder(), *(r.assign(test_acc=r["test_acc"] - 0.05) for r in ladder(eta=2.0)))
    ).data
    heat = data[data["panel"] == "heat"]
    assert shown(heat, "x", "low", "y") == [
        (1.0, 0.0, 0.8), (1.0, 0.01, 0.85), (1.0, 0.02, 0.84), (1.0, 0.1, 0.83),
        (2.0, 0.0, 0.75), (2.0, 0.01, 0.8), (2.0, 0.02, 0.79), (2.0, 0.1, 0.78),
    ]  # fmt: skip
    assert shown(data, "eta", "x", "y", panel="budgets", budget_at=100.0) == [
        (1.0, 0.01, 0.85), (1.0, 0.02, 0.84), (1.0, 0.1, 0.83),
    ]  # fmt: skip


def test_figure_s8_takes_the_budgets_of_sweeps_that_differ_in_them():
    short = [run(lam, 10, 0.7, until=50, sweep="short", eta=eta) for lam in (0.01, 0.1) for eta in (1.0, 2.0)]
    long = [run(lam, 10, 0.8, until=500, sweep="long", eta=eta) for lam in (0.01, 0.1) for eta in (1.0, 2.0)]
    data = draw_figure("S8", tables(*short, *long)).data
    assert shown(data, "budget_at", "x", "y", panel="budgets") == [
        (50.0, 0.01, 0.7), (500.0, 0.01, 0.8), (50.0, 0.1, 0.7), (500.0, 0.1, 0.8),
    ]  # fmt: skip


def test_figure_1c_takes_the_best_constant():
    data = draw_figure("1c", auto()).data
    # up to AutoL2's end, 100 epochs, λ = 0.01 is best
    assert {(s, lam) for s, lam in shown(data, "series", "lam")} == {("AutoL2", 0.1), ("constant", 0.01)}
    assert data["x"].max() == 100
    assert shown(data, "y", series="AutoL2", x=50.0) == [(0.9,)]


def test_figure_s9_shows_lam_along_the_run():
    data = draw_figure("S9", auto()).data
    steps = shown(data, "x", "y", panel="lam_t", series="AutoL2")
    assert steps == [(e, 0.1 if e <= 10 else 0.01) for e in (1, 2, 5, 10, 20, 50, 100)]
    assert set(data.loc[data["series"] == "constant", "lam"]) == {0.0, 0.01, 0.02, 0.1}
    assert (data.loc[data["panel"] == "lam_t", "y"] > 0).all()


def test_figure_5c_is_over_time():
    data = draw_figure("5c", theory()).data
    assert shown(data, "x", "y", series="experiment")[:3] == [(0.5, 1.0025), (1.0, 0.505), (2.5, 0.2125)]
    assert shown(data, "x", series="theory, k = 2")[:3] == [(1.0,), (2.0,), (5.0,)]


def test_figure_5ab_shows_that_only_the_network_of_two_layers_decays_after_it_has_learned():
    data = draw_figure("5ab", NO_SWEEPS).data
    end = {(panel, gamma): rows["y"].iloc[-1] for (panel, gamma), rows in data.groupby(["panel", "gamma"])}
    assert end["k=2", 1.0] < 1e-6
    assert end["k=1", 1.0] == pytest.approx(1.0 / (1.0 + 0.01))  # γ/(γ + λ), the fixed point of a linear model
    assert end["k=1", 0.001] == pytest.approx(0.001 / (0.001 + 0.01), rel=1e-6)
    learned = data[(data["panel"] == "k=2") & (data["gamma"] == 1.0)]
    assert learned["y"].max() > 0.95


def test_a_mode_is_the_closed_form_of_a_linear_model():
    times = np.geomspace(0.1, 1e3, 20)
    found = evolve_mode(0.3, 0.02, 1.0, times, start=0.7, label=-1.0)
    rest = -0.3 / 0.32
    assert found == pytest.approx(rest + (0.7 - rest) * np.exp(-0.32 * times), abs=1e-7)


def test_figure_5c_takes_k_from_an_axis():
    runs = [run(0.01, 50, 0.9, sweep="theory", homogeneity=k) for k in (1.0, 2.0)]
    runs = [r.assign(point=f"k{k}") for k, r in enumerate(runs)]
    data = draw_figure("5c", tables(*runs, run(0.01, 50, 0.9, sweep="net"), homogeneity=[3.0, np.nan])).data
    assert list(data["series"].unique()) == ["experiment", "theory, k = 1", "theory, k = 2"]


# ------------------------------------------------------------------------------------------- refusals


def test_figure_sf_shows_kappa_against_the_initialization_scale():
    data = example("SF").data
    assert shown(data, "lam", "x", "mark") == [
        (0.005, 1.0, "censored"),
        (0.01, 1.0, "observed"),
        (0.01, 2.0, "observed"),
        (0.1, 1.0, "observed"),
        (0.1, 2.0, "observed"),
    ]
    assert shown(data, "y", lam=0.1) == [(1.0,), (2.0,)]


def test_figure_b1_counts_decay_time_with_momentum():
    data = example("B1").data
    assert shown(data, "lam", "y", panel="t_star", series="μ = 0.9", eta=1.0) == [
        (0.01, 100.0), (0.02, 50.0), (0.1, 10.0),
    ]  # fmt: skip
    assert set(shown(data, "y", panel="kappa", series="μ = 0")) == {(1.0,)}
    assert set(shown(data, "y", panel="kappa", series="μ = 0.9", eta=1.0)) == {(10.0,)}  # t·ηλ/(1 - 0.9)
    assert shown(data, "y", panel="best", series="μ = 0", lam=0.1) == [(0.83,)]


def test_figure_b2_has_a_row_for_each_data_set_and_a_series_for_each_schedule():
    data = example("B2").data
    assert shown(data, "sweep", "series", "lam", "y", panel="kappa") == [
        ("fc on digits", "constant η", 0.01, 1.0), ("fc on digits", "constant η", 0.1, 1.0),
        ("fc on digits", "constant η, warm-up", 0.1, 2.0), ("fc on digits", "cosine, warm-up", 0.1, 2.0),
        ("fc on mnist", "constant η", 0.1, 0.5),
    ]  # fmt: skip


def test_figure_b3_leaves_out_times_of_points_that_never_learned():
    data = draw_figure("B3", tables(*ladder(), run(1.0, 2, 0.2))).data
    assert set(data.loc[data["panel"] == "t_star", "lam"]) == {0.01, 0.02, 0.1}
    assert shown(data, "y", panel="best", lam=1.0) == [(0.2,)]


def test_figure_b4_sets_two_rules_beside_the_tuned_lam():
    data = example("B4").data
    assert shown(data, "x", "y", "low", "high", "mark", panel="lam", series="tuned") == [
        (100.0, 0.01, 0.01, 0.01, "observed"), (1000.0, 0.01, 0.01, 0.01, "observed"),
    ]  # fmt: skip
    # η = 1 and a step an epoch: the decay time of the run is λT
    assert shown(data, "x", "y", panel="lam", series="share") == [(100.0, 0.006), (1000.0, 0.0006)]
    assert shown(data, "x", "y", panel="lam", series="epochs") == [(100.0, 0.01), (1000.0, 0.01)]
    between = 0.8 + 0.1 * np.log10(6)
    assert shown(data, "x", "y", panel="accuracy", series="share") == [(100.0, pytest.approx(between, abs=1e-6))]
    assert shown(data, "y", panel="accuracy", series="epochs") == [(0.9,), (0.9,)]


def test_numbers_are_read_off_the_figures_beyond_the_paper():
    timescales, one, share = (number.read(example("B4").data) for number in BEYOND["B4"].numbers)
    assert timescales == (pytest.approx(1.0), "100 to 100 epochs, in runs of 100 to 1000")
    assert one[0] == pytest.approx(0.0, abs=1e-9)
    assert share == (pytest.approx(0.1 - 0.1 * np.log10(6)), "at T = 100 epochs, η = 1, of 1 pairs")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("7", lambda: tables(*ladder()), "figure 7: no such figure; did you mean 'S7'?"),
        ("1a", lambda: tables(*ladder()), "one of a budget proportional to 1/λ; there is fixed."),
        ("1b", lambda: tables(*ladder(), budgets=[]), "analysis.budgets"),
        ("1b", lambda: tables(*ladder(), budgets=[5]), "needs λ near c/T = 0.2 to 0.2: all lie outside the grid."),
        ("4", lambda: tables(*ladder(), schedule="piecewise"), "needs a constant η"),
        ("4", lambda: tables(run(0.01, 1000, 0.8)), "trained past its maximum"),
        ("1c", lambda: tables(*ladder()), "needs one sweep with AutoL2 (l2.auto) and one of constant λ."),
        ("S10", auto, "needs a schedule of η in each sweep."),
        ("2", lambda: tables(*ladder(), *ladder(mu=0.9)), "one value of mu, but there are 0, 0.9; choose with --only"),
        ("2", lambda: tables(*ladder(), eta=7.0), "needs points of η = 7; there are η = 1."),
        ("2", lambda: tables(run(0.0, 10, 0.8)), "needs points of λ > 0."),
        ("5ab", lambda: tables(*ladder()), "figure 5ab of a: it needs no sweep, but 1 is given."),
        ("2def", EXAMPLES["3"], "needs at most 1 sweep, but 2 are given"),
        ("S1", lambda: tables(*ladder(train_acc=0.5)), "needs values in the column t_train1"),
        ("S2", lambda: tables(*ladder()), "needs momentum"),
        ("S5", lambda: tables(*ladder()), "needs at least two η."),
        ("S5", lambda: without("train_loss"), "needs values in the column train_loss of the rows."),
        ("S6", lambda: without("test_loss", "train_acc"), "in the columns test_loss, train_acc of the rows."),
        ("S8", lambda: tables(*ladder()), "needs at least two η and two λ."),
        ("B1", lambda: tables(run(0.0, 10, 0.8)), "needs points of λ > 0."),
        ("B3", lambda: tables(*ladder(sigma_w=1.0), *ladder(seed=1, sigma_w=2.0)), "one value of sigma_w"),
        (
            "B1",
            lambda: tables(*(r for mu in (0, 0.3, 0.5, 0.8, 0.9) for r in ladder(mu=mu))),
            "at most 4 momenta and schedules, at 4 η; choose with --only.",
        ),
        ("B4", lambda: tables(*ladder()), "needs sweeps of a fixed budget, which differ in it."),
        ("5c", lambda: tables(*ladder()), "there is none for theory, k = 1 and theory, k = 2."),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(name, given, said):
    with pytest.raises(InputError) as refused:
        draw_figure(name, given())
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def without(*columns: str) -> Tables:
    whole = tables(*ladder(), *ladder(eta=2.0))
    return Tables(
        sweeps=whole.sweeps, rows=whole.rows.drop(columns=list(columns)), peaks=whole.peaks, within=whole.within
    )


# ----------------------------------------------------------------------------------------------- means


def test_means_of_times_are_geometric():
    marks = pd.DataFrame({"lam": [1.0, 1.0], "seed": [0, 1], "y": [10.0, 1000.0], "mark": "observed"})
    assert means_and_seeds(marks, ["lam"], geometric=True)["y"].tolist() == pytest.approx([100, 10, 1000])
    assert means_and_seeds(marks, ["lam"])["y"].tolist() == [505, 10, 1000]


def test_curves_are_averaged_where_all_seeds_were_measured():
    rows = pd.concat([run(0.1, 10, 0.8), run(0.1, 10, 0.6, seed=1, until=100)])
    curve = mean_curves(rows, ["lam"], "test_acc")
    assert curve["x"].tolist() == [1, 2, 5, 10, 20, 50, 100]
    assert curve["y"].tolist()[3] == pytest.approx(0.7)
    assert set(curve["seeds"]) == {2}


def test_long_curves_are_thinned_but_keep_their_ends():
    epoch = np.arange(1, 100_001)
    rows = pd.DataFrame({"point": "p", "lam": 0.1, "step": epoch, "epoch": epoch, "test_acc": np.sin(epoch / 9e3)})
    curve = mean_curves(rows, ["lam"], "test_acc")
    assert len(curve) <= MAX_ROWS_PER_CURVE
    assert (curve["step"].iloc[0], curve["step"].iloc[-1]) == (1, 100_000)
    assert curve["y"].max() == rows["test_acc"].max()


def test_lam_are_chosen_evenly():
    assert low_middle_high([0.0, 0.1, 0.2, 0.3, 0.4]) == [0.1, 0.2, 0.4]
    assert low_middle_high([0.1]) == [0.1]
    assert low_middle_high([0.0]) == []
    assert pick_evenly([5, 1, 2, 3, 4, 4], 3) == [1, 3, 5]
