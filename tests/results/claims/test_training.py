import numpy as np
import pytest

from results.claims.training import catapult, fit_time, fit_time_lam, train_loss_minimum

ETAS = (0.03, 0.1, 0.3, 1.0)
LAMS = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)


def jitter(table, rng=0, sigma=0.03):
    return np.exp(sigma * np.random.default_rng(rng).standard_normal(len(table)))


def fitted(peak_table, of_eta=-1.0, of_lam=0.0, seeds=(0, 1), **columns):
    table = peak_table(ETAS, LAMS, seeds, **columns)
    time = 20 * table.eta**of_eta * np.maximum(table.lam, 1e-5) ** of_lam * jitter(table)
    return table.assign(t_train1=time)


def test_time_to_fit_the_training_set(peak_table):
    peaks = fitted(peak_table)
    of_eta, of_lam = fit_time(peaks), fit_time_lam(peaks)
    assert (of_eta.verdict, of_lam.verdict) == ("pass", "pass"), (of_eta, of_lam)
    assert of_eta.value == pytest.approx(-1, abs=0.03)
    assert of_lam.value == pytest.approx(0, abs=0.03)


def test_other_exponents_fail(peak_table):
    assert fit_time(fitted(peak_table, of_eta=-0.5)).verdict == "fail"
    assert fit_time_lam(fitted(peak_table, of_lam=-1.0)).verdict == "fail"


def test_only_small_eta_are_asked_about(peak_table):
    peaks = peak_table((0.01, 0.03, 0.1, 0.3, 1.0, 3.0), LAMS, (0, 1))
    peaks = peaks.assign(t_train1=20 / np.minimum(peaks.eta, 0.1) * jitter(peaks))  # no faster above 0.1
    verdict = fit_time(peaks)
    assert verdict.verdict == "pass", verdict
    assert "over eta = 0.01 to 0.1" in verdict.why


def test_runs_cut_short_are_bounds_and_runs_past_their_peak_are_left_out(peak_table):
    peaks = fitted(peak_table)
    slow = peaks.eta == 0.03
    unfitted = {"t_train1": peaks.t_train1.mask(slow & (peaks.seed == 0)), "last_epoch": 300.0}
    short = peaks.assign(**unfitted, censored=True, last_decay_time=0.1)
    assert fit_time(short).censored == 5
    assert fit_time(short).value == pytest.approx(-1, abs=0.1)  # as exact values 300 would give -0.8
    past = fit_time(peaks.assign(**unfitted))
    assert (past.censored, past.points_used) == (0, 25)


def test_times_of_too_little(peak_table):
    peaks = fitted(peak_table)
    assert fit_time(peaks.assign(best_train_acc=np.nan)) is None
    assert fit_time_lam(peaks.assign(best_train_acc=np.nan)) is None
    for few in (peaks[peaks.eta == 0.1], peaks.assign(t_train1=np.nan), peaks.iloc[:2]):
        assert fit_time(few).verdict == "inconclusive"
    assert fit_time_lam(peaks[peaks.lam == 0]).verdict == "inconclusive"
    assert fit_time(peaks.iloc[:0]) is None


def catapulted(peak_table, early=0.1, late=0.01):
    table = fitted(peak_table)
    rank = np.log(table.eta) / np.log(30)
    acc = 0.8 + early * rank * jitter(table, 1), 0.9 + late * rank * jitter(table, 2)
    return table.assign(acc_train1=acc[0], best_test_acc=acc[1])


@pytest.mark.parametrize(("late", "ruling"), [(0.01, "pass"), (0.08, "fail"), (0.051, "inconclusive")])
def test_dependence_on_eta_flattens(peak_table, late, ruling):
    verdict = catapult(catapulted(peak_table, late=late), 0.005)
    assert verdict.verdict == ruling, verdict
    assert verdict.value == pytest.approx(late / 0.1, rel=0.1)


def test_without_a_dependence_nothing_flattens(peak_table):
    verdict = catapult(catapulted(peak_table, early=0.003, late=0.0001), 0.005)
    assert verdict.verdict == "inconclusive"
    assert "no dependence that could flatten" in verdict.why
    never = catapulted(peak_table).assign(acc_train1=np.nan)
    assert catapult(never, 0.005).verdict == "inconclusive"
    assert catapult(never.iloc[:0], 0.005).verdict == "inconclusive"


def turning(peak_table, slope=-1.0, rise=0.05, decay_time=2.0):
    table = peak_table(ETAS, LAMS[1:], (0, 1), last_decay_time=decay_time)
    table = table.assign(last_epoch=decay_time / (table.eta * table.lam))
    at = 0.6 * (table.eta * table.lam) ** slope * jitter(table)
    return table.assign(t_min_loss=at, min_train_loss=0.01, last_train_loss=0.01 * (1 + rise))


def test_the_training_loss_turns(peak_table):
    verdict = train_loss_minimum(turning(peak_table))
    assert verdict.verdict == "pass", verdict
    assert verdict.value == pytest.approx(-1, abs=0.03)
    assert train_loss_minimum(turning(peak_table, slope=-0.7)).verdict == "fail"


def test_a_loss_that_does_not_rise_fails_if_it_had_time_and_is_a_bound_otherwise(peak_table):
    verdict = train_loss_minimum(turning(peak_table, rise=0.001))
    assert (verdict.verdict, verdict.value) == ("fail", None)
    assert "in 0 of the 32 that had a decay time of 2" in verdict.why
    short = train_loss_minimum(turning(peak_table, rise=0.001, decay_time=1.0))
    assert (short.verdict, short.censored) == ("inconclusive", 32)
    two = turning(peak_table, rise=0.001).assign(last_decay_time=[2.0] * 2 + [1.0] * 30)
    assert train_loss_minimum(two).verdict == "inconclusive"


def test_a_loss_never_measured_is_inconclusive(peak_table):
    unmeasured = {"t_min_loss": np.nan, "min_train_loss": np.nan, "last_train_loss": np.nan}
    assert train_loss_minimum(turning(peak_table).assign(**unmeasured)).verdict == "inconclusive"
