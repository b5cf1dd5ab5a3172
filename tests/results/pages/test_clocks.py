from results.claims.clocks import ClockVerdict
from results.pages.clocks import ClockSection, render_clocks


def test_a_row_a_clock_and_the_sentences_above():
    verdict = ClockVerdict(
        clock="smooth",
        title="maximum <of> the curve",
        verdict="inconclusive",
        exponent=-1.05,
        exponent_interval=(-1.15, -0.95),
        kappa=0.86,
        kappa_interval=None,
        spread=1.5,
        points_used=48,
        censored=9,
    )
    page = render_clocks(ClockSection(verdicts=(verdict,), agreement="A & B.", noise=""))
    assert "A &amp; B." in page
    assert "maximum &lt;of&gt; the curve" in page
    assert "−1.05 [−1.15, −0.95]" in page
    assert "48 (9)" in page


def test_without_a_clock_that_is_said():
    assert "No clock was read" in render_clocks(ClockSection(verdicts=()))
