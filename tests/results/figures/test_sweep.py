import io
import re
import threading

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from results.analysis.bootstrap import IntervalEstimate
from results.analysis.fits import ExponentFit, KappaFit
from results.figures import style, sweep
from results.figures.axes import tick_label
from results.figures.drawing import Drawing, render, save
from results.figures.sweep import draw_all, draw_collapse, draw_sweep
from results.figures.sweep_data import MAX_CURVE_ROWS, LawLine, collapse_data, law_line, prediction_data, sweep_data
from results.pages.panels import render_panels
from search_spaces.sections.metric import Metric

KAPPA = 0.5
LAW = LawLine(
    slope=-0.98,
    slope_low=-1.03,
    slope_high=-0.94,
    intercept=float(np.log10(KAPPA)),
    kappa=KAPPA,
    kappa_low=0.44,
    kappa_high=0.57,
)


def peaks_of(etas=(0.1, 1.0), lams=(0.0, 1e-3, 1e-2, 1e-1)) -> pd.DataFrame:
    rows = [(eta, lam) for eta in etas for lam in lams]
    frame = pd.DataFrame(rows, columns=["eta", "lam"])
    rate = frame["eta"] * frame["lam"]
    steps = (KAPPA / rate.where(rate > 0, 1e-4)).round()
    return frame.assign(
        point=[f"p{k}" for k in range(len(frame))],
        mu=0.0,
        budget=4 * steps,
        seed=0,
        outcome="completed",
        t_star=steps / 10,
        t_star_step=steps,
        kappa=(steps * rate).where(rate > 0),
        best_test_acc=0.9 - frame["lam"],
        censored=frame["lam"] == 0,
        censored_why="",
    )


def within_of(peaks: pd.DataFrame, budgets=(10.0, 100.0)) -> pd.DataFrame:
    parts = [peaks.assign(budget_at=b, acc=peaks["best_test_acc"] - 0.1 / b) for b in budgets]
    return pd.concat(parts)[["point", "eta", "lam", "seed", "budget_at", "acc"]]


def curves_of(peaks: pd.DataFrame, count=20) -> pd.DataFrame:
    epochs = np.geomspace(1, 100, count)
    parts = [
        pd.DataFrame({"epoch": epochs, "decay_time": epochs * p.eta * p.lam * 10, "test_acc": 0.5}).assign(
            point=p.point, eta=p.eta, lam=p.lam, seed=0
        )
        for p in peaks.itertuples()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def prediction_of(etas=(0.1, 1.0), budgets=(10.0, 100.0)) -> pd.DataFrame:
    rows = [(eta, budget) for eta in etas for budget in budgets]
    frame = pd.DataFrame(rows, columns=["eta", "budget_at"])
    lam = 0.05 / (frame["eta"] * frame["budget_at"])
    accuracies = {"acc_tuned": 0.9, "acc_zero": 0.88, "acc_pred": 0.899}
    return frame.assign(
        lam_tuned=2 * lam, lam_tuned_low=lam, lam_tuned_high=3 * lam, c=0.05, lam_pred=lam, **accuracies
    )


def drawings_of(peaks: pd.DataFrame, law: LawLine | None = LAW) -> list[Drawing]:
    return draw_all(peaks, within_of(peaks), prediction_of(), curves_of(peaks), law)


def texts(drawing: Drawing) -> str:
    artists = [*drawing.figure.texts, *(t for ax in drawing.figure.axes for t in ax.texts)]
    return "\n".join(text.get_text() for text in artists)


def diverged(peaks: pd.DataFrame) -> pd.DataFrame:
    nothing = {"t_star": np.nan, "t_star_step": np.nan, "kappa": np.nan, "best_test_acc": np.nan}
    return peaks.assign(outcome="diverged", censored=True, **nothing)


TABLES = {
    "normal": peaks_of(),
    "one eta": peaks_of(etas=(0.3,)),
    "one point": peaks_of(etas=(0.3,), lams=(1e-2,)),
    "one point without L2": peaks_of(etas=(0.3,), lams=(0.0,)),
    "seventeen eta": peaks_of(etas=tuple(np.geomspace(0.0025, 50, 17))),
    "all censored": peaks_of().assign(censored=True),
    "all diverged": diverged(peaks_of()),
    "no rows": peaks_of().iloc[:0],
    "one time zero": peaks_of().assign(t_star=0.0, t_star_step=0, kappa=0.0),
    "infinite": peaks_of().assign(t_star=np.inf, t_star_step=np.inf, kappa=np.inf),
}


@pytest.mark.parametrize("peaks", TABLES.values(), ids=TABLES.keys())
def test_every_table_gives_three_figures(peaks):
    drawings = drawings_of(peaks, LAW if len(peaks) > 4 else None)
    assert [d.name for d in drawings] == ["sweep", "collapse", "lambda_pred"]
    for drawing in drawings:
        drawing.figure.draw_without_rendering()
        assert drawing.title
        assert drawing.caption
        assert len(drawing.panels) >= 2


def test_tables_without_columns_say_no_data():
    empty = pd.DataFrame()
    for drawing in draw_all(empty, empty, empty, empty):
        assert texts(drawing).count("no data") == len(drawing.panels)
        assert drawing.data.empty
        render(drawing)


def test_a_loss_stands_in_place_of_the_accuracy():
    peaks = peaks_of().rename(columns={"best_test_acc": "best_test_loss"}).assign(best_test_acc=np.nan)
    within = within_of(peaks_of())
    curves = curves_of(peaks_of()).rename(columns={"test_acc": "test_loss"})
    drawings = draw_all(peaks, within, prediction_of(), curves, LAW, Metric(name="test_loss"))
    words = " ".join([text for d in drawings for text in (d.title, d.caption, *d.panels, texts(d))])
    words += " ".join(ax.get_ylabel() for d in drawings for ax in d.figure.axes)
    assert "b  Minimum test loss" in words
    assert "Steps to minimum test loss" in words
    assert "all minima (circles)" in words
    assert "accuracy" not in words
    assert "no data" not in words
    sweep, collapse, _ = (drawing.data for drawing in drawings)
    assert sweep[sweep["panel"] == "best_test_loss"]["y"].tolist() == peaks["best_test_loss"].tolist()
    assert (collapse["panel"] == "curve").sum() > 0


def test_a_table_of_nothing_but_nan_says_no_data():
    peaks = peaks_of()
    hollow = [frame.assign(**dict.fromkeys(frame.columns, np.nan)) for frame in (peaks, within_of(peaks))]
    nothing = prediction_of().assign(lam_tuned=np.nan, lam_pred=np.nan)
    for drawing in draw_all(hollow[0], hollow[1], nothing, curves_of(peaks).assign(test_acc=np.nan)):
        assert "no data" in texts(drawing)


def test_sweep_draws_its_table_and_nothing_else():
    peaks = peaks_of()
    drawing = draw_sweep(peaks, within_of(peaks), style.eta_scale([0.1, 1.0]))
    left, middle, right = drawing.figure.axes[:3]
    for ax, panel in ((left, "t_star"), (middle, "best_test_acc"), (right, "within_budget")):
        rows = drawing.data[(drawing.data["panel"] == panel) & (drawing.data["lam"] > 0)]
        marks = [line for line in ax.lines if line.get_linestyle() == "None"]
        drawn = sorted((float(x), float(y)) for line in marks for x, y in zip(*line.get_data(), strict=True))
        assert drawn == sorted(zip(rows["lam"], rows["y"], strict=True))


def test_lam_zero_is_shown_by_the_median_over_seeds_like_every_lam():
    peaks = pd.concat([peaks_of(etas=(1.0,)).assign(seed=seed) for seed in range(3)], ignore_index=True)
    peaks.loc[peaks["lam"] == 0, "best_test_acc"] = [0.80, 0.82, 0.95]
    drawing = draw_sweep(peaks, within_of(peaks, budgets=(10.0,)), style.eta_scale([1.0]))
    _, middle, right = drawing.figure.axes[:3]
    for ax, expected in ((middle, 0.82), (right, 0.81)):
        (line,) = (line for line in ax.lines if line.get_linestyle() == style.DASHED or line.is_dashed())
        assert list(line.get_ydata()) == pytest.approx([expected] * 2)


def test_time_panel_leaves_out_lam_zero_and_broken_points():
    peaks = peaks_of().assign(outcome=["completed", "diverged", "failed", "completed"] * 2)
    data = sweep_data(peaks, pd.DataFrame())
    time_rows = data[data["panel"] == "t_star"]
    assert set(time_rows["lam"]) == {1e-1}
    assert set(data.loc[data["panel"] == "best_test_acc", "mark"]) == {"observed", "broken"}


def test_the_budget_panel_takes_the_eta_with_most_rows():
    within = within_of(peaks_of())
    data = sweep_data(peaks_of(), within[(within["eta"] == 1.0) | (within["budget_at"] == 10)])
    assert set(data.loc[data["panel"] == "within_budget", "eta"]) == {1.0}


def test_censored_points_are_hollow_with_an_arrow():
    peaks = peaks_of().assign(censored=[False, True, False, False] * 2)
    drawing = draw_sweep(peaks, within_of(peaks), style.eta_scale([0.1, 1.0]))
    hollow = [line for line in drawing.figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[1e-3], [1e-3]]
    assert "lower bound (2 of 6)" in drawing.caption


def test_law_is_drawn_over_effective_rate_with_momentum():
    data = collapse_data(peaks_of().assign(mu=0.9), pd.DataFrame())
    law = data[data["panel"] == "law"]
    np.testing.assert_allclose(law["x"], law["eta"] * law["lam"] / 0.1)


def test_points_outside_the_fit_are_marked():
    peaks = peaks_of().assign(in_law=[True, True, True, False] * 2)
    drawing = draw_collapse(peaks, curves_of(peaks), style.eta_scale([0.1, 1.0]), LAW)
    outside = drawing.data[drawing.data["mark"] == "outside"]
    assert set(outside["lam"]) == {1e-1}
    assert "not in the fit" in drawing.caption


def test_curves_are_thinned_evenly():
    peaks = peaks_of()
    data = collapse_data(peaks, curves_of(peaks, count=5000))
    count = data[data["panel"] == "curve"].groupby("point").size()
    assert count.sum() <= MAX_CURVE_ROWS + len(count)
    assert count.nunique() == 1


def test_prediction_merges_seeds_and_keeps_six_eta():
    frame = prediction_of(etas=tuple(np.geomspace(0.01, 10, 17)))
    data = prediction_data(pd.concat([frame.assign(seed=0), frame.assign(seed=1)]))
    assert data["eta"].nunique() == 6
    assert len(data) == 12
    assert {data["eta"].min(), data["eta"].max()} == {frame["eta"].min(), frame["eta"].max()}


def test_one_color_for_an_eta_in_every_figure():
    peaks = peaks_of(etas=(0.1, 1.0, 10.0))
    sweep, collapse, prediction = drawings_of(peaks)
    color = style.eta_scale([0.1, 1.0, 10.0]).color(1.0)
    for drawing in (sweep, collapse, prediction):
        assert color in {line.get_color() for line in drawing.figure.axes[1].lines}


def test_law_line_from_fits():
    counts = {"points_used": 9, "censored": 1, "why": ""}
    gamma = IntervalEstimate(value=-1.0, interval=(-1.1, -0.9))
    exponents = ExponentFit(gamma=gamma, alpha=None, beta=None, intercept=-0.3, sigma=0.1, **counts)
    kappa = KappaFit(kappa=None, kappa_gstd=None, t_star_gstd=2.0, per_eta=(), **counts)
    law = law_line(exponents, kappa, peaks_of())
    assert law is not None
    assert (law.slope, law.slope_low, law.slope_high) == (-1.0, -1.1, -0.9)
    assert np.isnan(law.kappa)
    render(drawings_of(peaks_of(), law)[1])
    nothing = ExponentFit(gamma=None, alpha=None, beta=None, intercept=0.0, sigma=0.0, **counts)
    assert law_line(nothing, kappa, peaks_of()) is None


@pytest.mark.parametrize("decay", [1.0, 2.0, 512.0])  # conventions half, square, per_sample of 512 samples
def test_line_of_kappa_passes_through_the_points_in_every_convention(decay):
    counts = {"points_used": 9, "censored": 0, "why": ""}
    gamma = IntervalEstimate(value=-1.0, interval=None)
    exponents = ExponentFit(gamma=gamma, alpha=None, beta=None, intercept=0.0, sigma=0.1, **counts)
    estimate = IntervalEstimate(value=0.6, interval=(0.5, 0.7))
    kappa = KappaFit(kappa=estimate, kappa_gstd=None, t_star_gstd=2.0, per_eta=(), **counts)
    peaks = peaks_of()
    rate = peaks["eta"] * peaks["lam"] / (1 - peaks["mu"])
    peaks = peaks.assign(kappa=0.6, t_star_step=0.6 / (decay * rate.where(rate > 0, np.inf)))
    law = law_line(exponents, kappa, peaks)
    assert law.decay_per_rate == pytest.approx(decay)
    lines = [line for panel in drawings_of(peaks, law)[1].figure.axes for line in panel.lines]
    line = next(line for line in lines if str(line.get_label()).startswith("slope −1"))
    x, y = line.get_data()
    assert np.asarray(x) * np.asarray(y) * decay == pytest.approx(0.6)


def test_saved_files_hold_the_drawing(tmp_path):
    drawing = drawings_of(peaks_of())[0]
    rendered = save(drawing, tmp_path / "figures")
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == ["sweep.csv", "sweep.png", "sweep.svg"]
    assert (tmp_path / "figures/sweep.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figures/sweep.svg").read_text(encoding="utf-8") == rendered.svg
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(rendered.csv)), drawing.data, check_dtype=False)


def test_the_same_tables_give_the_same_bytes():
    first, second = ([render(d) for d in drawings_of(peaks_of())] for _ in range(2))
    assert first == second
    assert "<dc:date>" not in first[0].svg


def test_the_style_is_not_left_behind():
    before = dict(mpl.rcParams)
    render(drawings_of(peaks_of())[0])
    assert dict(mpl.rcParams) == before


def test_drawing_needs_no_main_thread():
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append([d.name for d in drawings_of(peaks_of())]))
    thread.start()
    thread.join()
    assert found == [["sweep", "collapse", "lambda_pred"]]


def test_three_figures_of_a_full_grid_are_saved(tmp_path):
    peaks = peaks_of(etas=tuple(np.geomspace(0.1, 10, 4)), lams=(0.0, *np.geomspace(1e-4, 1e-1, 9)))
    for drawing in drawings_of(peaks):
        save(drawing, tmp_path)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.3, "0.3"), (20, "20"), (1000, "1000"), (1e-4, "10⁻⁴"), (2e5, "2·10⁵"), (0.05, "0.05"), (1 / 3, "3.3·10⁻¹")],
)
def test_tick_labels(value, shown):
    assert tick_label(value) == shown


def test_every_point_is_named_in_the_picture():
    peaks = peaks_of()
    panels = {drawing.name: str(render_panels(render(drawing))) for drawing in drawings_of(peaks)}
    for point, lam in zip(peaks["point"], peaks["lam"], strict=True):
        shown = [panel.count(f'data-point="{point}"') for panel in (panels["sweep"], panels["collapse"])]
        # t*, best, and for one η within two budgets; curve, maximum and law; λ = 0 is a line of its η
        assert shown[0] in ({2, 4} if lam > 0 else {0})
        assert shown[1] == (3 if lam > 0 else 0)
    assert {'data-eta="0.1"', 'data-eta="1.0"'} <= set(re.findall(r'data-eta="[^"]*"', panels["lambda_pred"]))


def test_marks_that_are_pixels_name_no_point(monkeypatch):
    monkeypatch.setattr(sweep, "MAX_VECTOR_MARKS", 2)
    peaks = peaks_of()
    panels = str(render_panels(render(draw_collapse(peaks, curves_of(peaks), style.eta_scale([0.1, 1.0]), LAW))))
    assert panels.count("<image") == 2  # one a panel
    assert panels.count("data-point") == 6, "the curves"
