"""Verdicts on the law by each clock, and the sentences of the report on them."""

import math
from dataclasses import replace

import pytest
from curves_support import Curves

from results import find
from results.analysis.clocks.noise import AccuracyNoise
from results.claims.clocks import ClockVerdict, describe_clocks, describe_noise, judge_clocks

CLOCK = ClockVerdict(
    clock="t_star",
    title="t*",
    verdict="pass",
    exponent=-1.0,
    exponent_interval=(-1.05, -0.95),
    kappa=0.5,
    kappa_interval=(0.45, 0.55),
    spread=1.2,
    points_used=20,
    censored=1,
)
SMOOTH = replace(CLOCK, clock="smooth", title="maximum of the smoothed accuracy")
LOSS = replace(CLOCK, clock="test_loss", title="minimum of the test loss")


def test_every_clock_of_a_sweep_is_judged_by_the_threshold_of_scaling():
    rows, points = Curves(scatter=0.05).sweep(1)
    verdicts = judge_clocks(find(rows, points, 0.005, []).clocks)
    assert [v.clock for v in verdicts] == ["t_star", "smooth", "test_loss", "train_loss", "edge"]
    assert {v.verdict for v in verdicts} == {"pass"}
    rows, points = Curves(scatter=0.05, exponent=-0.6).sweep(1)
    assert {v.verdict for v in judge_clocks(find(rows, points, 0.005, []).clocks)} == {"fail"}
    rows, points = Curves(length=0.5).sweep(1)
    verdicts = judge_clocks(find(rows, points, 0.005, []).clocks)
    assert {(v.verdict, v.exponent, v.kappa) for v in verdicts} == {("inconclusive", None, None)}


def test_without_losses_two_clocks_are_left():
    rows, points = Curves().sweep(0)
    verdicts = judge_clocks(find(rows.drop(columns=["train_loss", "test_loss"]), points, 0.005, []).clocks)
    assert [v.clock for v in verdicts if v.exponent is not None] == ["t_star", "smooth", "edge"]


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([SMOOTH, LOSS], "All clocks agree"),
        ([replace(SMOOTH, kappa=0.8, kappa_interval=(0.7, 0.9))], "t* comes before the maximum"),
        ([replace(SMOOTH, kappa=0.3, kappa_interval=(0.2, 0.4))], "one late flicker is the maximum"),
        ([SMOOTH, replace(LOSS, kappa=0.3, kappa_interval=(0.2, 0.4))], "a loss goes on changing"),
        ([SMOOTH, replace(CLOCK, clock="edge", kappa=0.7, kappa_interval=(0.6, 0.8))], "the edge compares the means"),
        ([replace(SMOOTH, kappa=None, kappa_interval=None)], ""),
    ],
)
def test_one_sentence_says_whether_the_clocks_agree_and_why_not(others, words):
    sentence = describe_clocks([CLOCK, *others], 0.005)
    assert words in sentence
    assert bool(sentence) == bool(words)
    assert sentence.count(".") - sentence.count("0.") <= 1


def test_a_tolerance_below_the_noise_is_said():
    noise = AccuracyNoise(flicker=0.002, test_samples=1285, standard_error=0.006)
    assert "lies below that" in describe_noise(noise, 0.005)
    assert "1,285 images" in describe_noise(noise, 0.005)
    assert "lies below" not in describe_noise(noise, 0.007)
    assert describe_noise(AccuracyNoise(flicker=math.nan, test_samples=None, standard_error=math.nan), 0.005) == ""
