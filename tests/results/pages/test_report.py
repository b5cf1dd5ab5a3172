import json
import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages_support import Page, drawing_of

from results.claims.judge import CLAIMS
from results.claims.winner import Mean, Winner
from results.figures.sweep_data import LawLine
from results.pages.axes import MAX_ROWS
from results.pages.clocks import ClockSection
from results.pages.points import MAX_UNFOLDED_ROWS
from results.pages.report import ReportContent, render_report
from results.settling.choice import WayOut
from results.settling.extensions import Extension
from search_spaces.reading.load import load_grid
from search_spaces.sections.metric import Metric

GRIDS = Path(__file__).parents[3] / "grids"

EVIL = "<script>alert(\"x\")</script> & 'co'"
WINNER = Winner(
    setting={"eta": 0.3, "lam": 1e-3},
    accuracy=Mean(value=0.951, seeds=3, spread=0.002),
    last=Mean(value=0.948, seeds=3, spread=0.002),
    zero=Mean(value=0.93, seeds=3, spread=0.002),
    zero_eta=1.0,
    equals=2,
    next_step="The best λ is the smallest above 0: add λ below 0.001.",
)
LAW = LawLine(
    slope=-0.979,
    slope_low=-1.02,
    slope_high=-0.95,
    intercept=0.0,
    kappa=0.48,
    kappa_low=0.44,
    kappa_high=0.53,
)


def verdict_of(claim="scaling", verdict="pass", **changes):
    fields = {
        "claim": claim,
        "verdict": verdict,
        "value": -0.98,
        "interval": (-1.02, -0.95),
        "threshold": "-1 ± 0.1",
        "points_used": 21,
        "censored": 3,
        "why": "t* goes as eta*lam to the power -0.98",
    }
    return SimpleNamespace(**(fields | changes))


def peaks_of(count=3, **changes) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "point": [f"p{k}" for k in range(count)],
            "eta": 0.3,
            "lam": np.geomspace(1e-5, 1e-1, count),
            "mu": 0.0,
            "budget": 100.0,
            "seed": 0,
            "outcome": "completed",
            "why": "",
            "t_star": 12.5,
            "t_star_step": 125.0,
            "kappa": 0.48,
            "best_test_acc": 0.95,
            "best_epoch": 13.0,
            "best_train_acc": 1.0,
            "censored": False,
            "censored_why": "",
        }
    )
    return frame.assign(**changes)


def prediction_of() -> pd.DataFrame:
    row = {"seed": 0, "eta": 0.3, "mu": 0.0, "budget_at": 300.0, "lam_tuned": 1e-3, "lam_tuned_low": 5e-4}
    row |= {"lam_tuned_high": 2e-3, "c": 0.49, "lam_pred": 1.6e-3, "acc_tuned": 0.951, "acc_pred": 0.95}
    return pd.DataFrame([row | {"gap": 0.001, "ratio": 1.6, "acc_zero": np.nan, "probe_points": 2, "why": ""}])


def report_of(**changes) -> str:
    given = {
        "title": "digits",
        "winner": WINNER,
        "facts": {"grid": "name: digits\naxes: {}", "machine": "2 cores"},
        "verdicts": [verdict_of(), verdict_of("collapse", "fail"), verdict_of("plateau", "inconclusive")],
        "ways_out": {},
        "clocks": ClockSection(verdicts=()),
        "figures": [drawing_of(), drawing_of("collapse")],
        "peaks": peaks_of(),
        "prediction": prediction_of(),
        "law": LAW,
    }
    return render_report(ReportContent(**(given | changes)))


def test_page_is_whole_and_loads_nothing():
    source = report_of()
    page = Page(source)
    assert source.startswith('<!DOCTYPE html>\n<html lang="en">')
    beside = {link for link in page.links if not link.startswith("#")}
    assert beside >= {"analysis/figures/sweep.csv", "analysis/peaks.parquet", "points.parquet"}
    assert not any(link.startswith(("/", "http", "data")) for link in beside), "files of the sweep, beside the page"
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert "<script src" not in source
    assert not re.search(r"@import|url\((?!#)|https?://", source)
    assert len(page.ids) == len(set(page.ids))


def test_headings_go_down_one_level_at_a_time():
    levels = [int(tag[1]) for tag in Page(report_of()).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_sections_come_in_the_order_of_reading():
    source = report_of()
    order = [
        "headline",
        "controls",
        "figure-collapse",
        "verdicts",
        "clocks",
        "figures",
        "prediction",
        "points",
        "facts",
        "reading",
    ]
    places = [source.index(f'id="{name}"' if name != "headline" else 'class="headline"') for name in order]
    assert places == sorted(places)


def test_the_best_setting_comes_first_and_what_to_do_next_below_it():
    source = report_of()
    first = source.index('class="headline">Best: η = 0.3, λ = 0.001: 0.9510 ± 0.0020 (3 seeds)</p>')
    assert first < source.index(
        "0.9480 at the end of training; λ = 0 reaches 0.9300 at η = 1; within its standard error: 2 other"
    )
    assert first < source.index("add λ below 0.001") < source.index("t* ∝")
    assert "No point has trained as meant" in report_of(winner=None)


def test_a_sweep_judged_by_its_loss_shows_losses_and_no_accuracies():
    loss = Metric(name="test_loss")
    peaks = peaks_of(best_test_acc=np.nan, best_train_acc=np.nan).assign(best_test_loss=0.0123456, learned=True)
    winner = replace(WINNER, accuracy=Mean(value=0.0123456, seeds=1, spread=None, metric=loss), last=None, zero=None)
    source = report_of(peaks=peaks, metric=loss, winner=winner)
    text = " ".join(Page(source).texts)
    assert "Best: η = 0.3, λ = 0.001: test loss 0.01235 (1 seed)" in text
    assert "test loss at λ_pred" in text
    assert "0.01235" in text
    assert "train accuracy" not in text
    assert "learned" not in text  # no axis


def test_headline_names_the_law_and_counts_the_claims():
    source = report_of()
    assert "t* ∝ (ηλ)<sup>−0.98</sup>, κ = 0.480 [0.440, 0.530]; 1 of 3 claims pass, 1 fails, 1 inconclusive." in source
    assert "No law could be fitted; no claim was judged." in report_of(law=None, verdicts=[])


def test_verdicts_keep_their_order_and_have_word_symbol_and_class():
    source = report_of()
    body = source[source.index('id="verdicts"') : source.index('id="figures"')]
    assert re.findall(r"<code>(\w+)</code></th>", body) == ["scaling", "collapse", "plateau"]
    for kind, symbol in (("pass", "✓"), ("fail", "✗"), ("inconclusive", "?")):
        assert f'<span class="mark {kind}"><span aria-hidden="true">{symbol}</span> {kind}</span>' in body
    assert "−0.98 [−1.02, −0.95]" in body
    assert "−1 ± 0.1" in body


def test_an_open_claim_says_what_would_settle_it_and_unasked_ones_are_a_line():
    more = load_grid((GRIDS / "digits.yaml").read_text(), "digits.yaml", ["axes.seed=[0,1,2,3]"])
    extension = Extension(lack="seeds", grid=more, values=(2, 3), cells={(1.0, 0.01): 54}, epochs=9e4)
    way = WayOut(claim="plateau", extension=extension, enough=True, seconds=48.0)
    verdicts = [verdict_of(), verdict_of("plateau", "inconclusive"), verdict_of("fit_time", "unasked", why="one eta")]
    source = report_of(verdicts=verdicts, ways_out={"plateau": way})
    assert "Add 2 seeds (2, 3): 54 points, about 48 s on one worker." in source
    assert "<code>--set axes.seed=[0,1,2,3]</code>" in source
    assert "This grid does not ask about <code>fit_time</code> (one η)." in source
    assert "1 of 2 claims pass" in source


def test_a_sweep_of_one_seed_says_what_its_intervals_do_not_know():
    sentence = "the intervals say nothing about other seeds"
    assert sentence in report_of()
    assert sentence not in report_of(peaks=peaks_of(seed=[0, 1, 2]))


def test_every_claim_that_is_judged_has_words():
    source = report_of(verdicts=[verdict_of(claim.name) for claim in CLAIMS])
    assert all(f"{claim.title} <code>{claim.name}</code>" in source for claim in CLAIMS)


def test_all_text_is_escaped():
    source = report_of(
        title=EVIL,
        facts={EVIL: EVIL, "grid": f"a\n{EVIL}"},
        verdicts=[verdict_of(claim=EVIL, verdict=EVIL, value=EVIL, threshold=EVIL, why=EVIL)],
        figures=[drawing_of(name="x'>" + EVIL, title=EVIL)],
        peaks=peaks_of(outcome=EVIL, why=EVIL, censored_why=EVIL, **{EVIL: [EVIL, "b", "c"]}),
        prediction=prediction_of().assign(why=EVIL),
    )
    page = Page(source)
    assert page.tags.count("script") == source.count("<script") == 2, "the page's own"
    assert EVIL in "".join(page.texts)


def test_styles_for_phone_print_and_dark():
    source = report_of()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in source
    for query in ("@media (max-width", "@media print", "@media (prefers-color-scheme: dark)"):
        assert query in source
    assert Page(source).tags.count("table") == source.count('<div class="scroll" role="region" tabindex="0"')
    assert 'scope="col"' in source
    assert 'scope="row"' in source


def test_many_points_are_folded_and_broken_ones_stay_in_sight():
    peaks = peaks_of(MAX_UNFOLDED_ROWS + 1)
    peaks.loc[4, ["outcome", "why", "t_star"]] = ["diverged", "the loss of step 7 is not finite", math.nan]
    source = report_of(peaks=peaks)
    before, folded = source.split("<details>")
    assert "the loss of step 7 is not finite" in before
    assert folded.count('<tr role="row"') == MAX_UNFOLDED_ROWS + 2
    assert "<details>" not in report_of(peaks=peaks_of(MAX_UNFOLDED_ROWS))


def test_axes_that_vary_are_columns_and_the_others_are_said_once():
    source = report_of(peaks=peaks_of(**{"model.width": [16, 32, 64]}))
    assert '<abbr title="axis of the grid">model.width</abbr></th>' in source
    assert "The same for all points: η = 0.3, μ = 0, T (epochs) = 100, seed = 0." in source


def test_lower_bounds_are_marked():
    assert "≥ 12.5" in report_of(peaks=peaks_of(censored=True))
    assert "t* is only a lower bound for 3" in report_of(peaks=peaks_of(censored=True))


def test_an_empty_sweep_has_a_report():
    empty = pd.DataFrame()
    source = report_of(facts={}, verdicts=[], figures=[], peaks=empty, prediction=empty, law=None)
    Page(source)
    assert "No point has been measured." in source


def test_every_column_of_every_table_says_what_it_is():
    source = report_of()
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', source)
    assert len(heads) > 20
    assert [head for head in heads if not head.startswith('<abbr title="')] == ["Why, and what would settle it"]


def test_a_repeated_note_becomes_one_footnote():
    source = report_of(peaks=peaks_of(4, censored_why=["late", "late", "", "early"]))
    assert source.count(">late<") == 1
    assert source.count('<a href="#all-points-note-1" aria-label="note 1">note 1</a>') == 2
    assert '<li id="all-points-note-1">late</li>' in source
    assert ">early</td>" in source


def test_the_script_knows_every_point_in_the_texts_of_the_tables():
    data = json.loads(re.search(r'<script type="application/json" id="explorer">(.*?)</script>', report_of())[1])
    assert data["labels"] == ["η", "λ", "test accuracy"]
    assert data["points"]["p1"] == {"eta": 0.3, "lam": pytest.approx(1e-3), "texts": ["0.3", "0.001", "0.9500"]}
    assert data["clocks"]["t_star"]["times"]["p1"] == ["12.5", "0.48", 12.5, 0.48, False]


def test_a_large_page_is_bounded():
    source = report_of(peaks=peaks_of(10_000))
    assert len(source) < 1_500_000
    data = json.loads(re.search(r'id="explorer">(.*?)</script>', source)[1])
    assert len(data["points"]) == MAX_ROWS
