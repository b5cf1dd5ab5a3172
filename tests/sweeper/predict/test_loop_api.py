"""``predict_lambda_for_loop``: loops of torch and of nothing, tables that go on, and reports that cannot be used."""

import math

import pytest
import torch
from torch import nn

from search_spaces.errors import InputError
from sweeper import predict_lambda_for_loop


def bowl(best=0.01, calls=None):
    """A loop whose accuracy is greatest at one λ."""

    def train(lam, steps, report):
        if calls is not None:
            calls.append((lam, steps))
        for step in range(1, steps + 1):
            report(step, max(0.0, 0.95 - 0.05 * math.log(lam / best) ** 2))

    return train


def test_the_best_lam_of_a_loop_is_found():
    calls = []
    found = predict_lambda_for_loop(bowl(0.01, calls), eta=0.1, steps=800, samples=10_000)
    assert 0.003 < found.lam < 0.012
    assert [steps for _, steps in calls] == [100] * 4
    assert found.cost == 0.5
    assert "T (steps)" in str(found)
    assert f"weight_decay={found.lam:.3g}" in str(found)


def test_a_loss_is_minimized():
    def train(lam, steps, report):
        report(steps, torch.tensor(0.5 + 0.2 * math.log(lam / 0.01) ** 2))

    found = predict_lambda_for_loop(train, eta=0.1, steps=800, mode="min")
    assert 0.003 < found.lam < 0.012
    assert "ended with loss" in str(found)


def test_a_real_loop_of_torch_with_adamw(tmp_path):
    x = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
    y = x[:, :1] * x[:, 1:2] + 0.1 * torch.randn(256, 1, generator=torch.Generator().manual_seed(1))

    def train(lam, steps, report):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=lam)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x[:128]), y[:128]).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        report(steps, nn.functional.mse_loss(model(x[128:]), y[128:]))

    found = predict_lambda_for_loop(
        train, eta=1e-2, steps=400, optimizer="adamw", mean_eta=0.5, mode="min", out=tmp_path / "mine"
    )
    assert found.budgets[0].low < found.lam < found.budgets[0].high
    assert len({trial.value for trial in found.trials}) == 4


def test_trials_that_ended_are_not_trained_again(tmp_path):
    def interrupted(lam, steps, report):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(lam)
        bowl()(lam, steps, report)

    done, calls = [], []
    with pytest.raises(KeyboardInterrupt):
        predict_lambda_for_loop(interrupted, eta=0.1, steps=800, out=tmp_path)
    found = predict_lambda_for_loop(bowl(calls=calls), eta=0.1, steps=800, out=tmp_path)
    assert len(calls) == 2
    assert not {lam for lam, _ in calls} & set(done)
    again = predict_lambda_for_loop(bowl(calls=calls), eta=0.1, steps=800, out=tmp_path)
    assert len(calls) == 2
    assert again == found == predict_lambda_for_loop(bowl(), eta=0.1, steps=800)


def test_a_trial_that_diverges_does_not_count():
    def train(lam, steps, report):
        report(steps, math.nan if lam > 0.05 else 0.9)

    found = predict_lambda_for_loop(train, eta=0.1, steps=800)
    assert all(trial.lam <= 0.05 for trial in found.trials)


def test_where_all_trials_diverge_the_guess_says_so():
    def train(_lam, steps, report):
        report(steps, math.inf)

    found = predict_lambda_for_loop(train, eta=0.1, steps=800)
    assert not found.trials
    assert "no trial ended with a finite value" in str(found)


def test_one_run_is_a_guess():
    def train(*_):
        raise AssertionError

    found = predict_lambda_for_loop(train, eta=0.1, steps=800, mu=0.9, runs=1)
    assert found.lam == pytest.approx(1.25 * 0.1 / (0.1 * 800))
    assert not found.trials
    assert "no λ was tried" in str(found)


def reporting(*reports):
    def train(_lam, _steps, report):
        for step, value in reports:
            report(step, value)

    return train


@pytest.mark.parametrize(
    ("loop", "changes", "said"),
    [
        (reporting(), {}, r"loop: with lam = .* it reported nothing\. Call report"),
        (reporting((50, 0.5)), {}, r"its last report was of step 50"),
        (reporting((100, 1.5)), {}, r"report: value 1\.5 at step 100 is not allowed: give an accuracy from 0 to 1"),
        (reporting((100, -1.0)), {"mode": "min"}, r"report: value -1 at step 100 is not allowed: give a loss > 0"),
        (reporting((101, 0.5)), {}, r"report: step 101 is not allowed: give the steps taken"),
        (reporting((100, "good")), {}, r"report: value 'good' is not allowed"),
        (bowl(), {"eta": 0}, r"eta: 0 is not allowed: give a learning rate > 0"),
        (bowl(), {"runs": 9}, r"runs: 9 is not allowed"),
        (bowl(), {"steps": 2.5}, r"steps: 2\.5 is not allowed"),
        (bowl(), {"optimizer": "lion"}, r"optimizer: 'lion' is not allowed: give 'sgd', 'adamw', 'adam'"),
    ],
)
def test_what_cannot_be_used_is_refused(loop, changes, said):
    with pytest.raises(InputError, match=said):
        predict_lambda_for_loop(loop, **{"eta": 0.1, "steps": 800} | changes)


def test_a_foreign_table_is_refused(tmp_path):
    (tmp_path / "trials.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"trials\.csv: this is no table of trials"):
        predict_lambda_for_loop(bowl(), eta=0.1, steps=800, out=tmp_path)
