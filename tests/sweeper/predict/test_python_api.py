"""``predict_lambda`` as people call it: lambdas, scripts, folders that are kept, and what it leaves behind."""

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from models_support import Failing
from torch import nn

import sweeper
from search_spaces.errors import InputError
from sweeper import AutoL2, Task, predict_lambda
from sweeper.cli.app import main
from sweeper.predict.predict import Forecast
from sweeper.predict.target import TYPICAL_DECAY_TIME

ROOT = Path(__file__).parent.parent.parent.parent

MODULE = """
import torch
from torch import nn
from sweeper import Dataset, Task

def products(width=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(400, 8, generator=generator)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).long()
    data = Dataset.from_tensors(x[:100], y[:100], x[100:], y[100:], classes=2)
    return Task(lambda: nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 2)), data)
"""
SCRIPT = """
import sys
sys.modules["ray"] = sys.modules["mlflow"] = None  # as where they are not installed
from sweeper import predict_lambda
{module}
forecast = predict_lambda(lambda: products(), eta=0.3, budget={budget})
print(forecast)
print(forecast.lam)
"""


@pytest.fixture
def probe():
    """The call of most tests: some seconds at most, nothing shown."""
    return lambda task, **changes: predict_lambda(task, **{"eta": 0.3, "budget": 300, "progress": False} | changes)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def products(tmp_path, monkeypatch):
    """A function that can be imported."""
    (tmp_path / "my_products.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("my_products").products
    del sys.modules["my_products"]


def python(code, folder, **environment):
    """A Python that reads a script from its standard input in another folder."""
    return subprocess.Popen(
        [sys.executable, "-"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)} | environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ), code


def finished(process, code):
    stdout, stderr = process.communicate(code, timeout=100)
    return process.returncode, stdout, stderr


def test_importing_the_package_is_light(tmp_path):
    code = "import sys, sweeper; assert 'predict_lambda' in dir(sweeper)\n"
    code += "print({'torch', 'ray', 'mlflow', 'numpy', 'pydantic', 'rich'} & set(sys.modules))"
    assert finished(*python(code, tmp_path)) == (0, "set()\n", "")
    assert AutoL2.__module__ == "trainables.auto_l2"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sweeper.nothing  # noqa: B018


def test_a_script_on_standard_input_without_ray_and_mlflow(tmp_path):
    status, stdout, stderr = finished(*python(SCRIPT.format(module=MODULE, budget=300), tmp_path))
    assert status == 0, stderr
    assert "λ_pred" in stdout
    assert re.search(r"cost +[\d.]+% of the steps of one run", stdout)
    assert float(stdout.split()[-1]) > 0
    assert stderr.startswith("task-probe-300-1.5: 4 points in 1 pack on 1 worker")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_interrupt_ends_it_and_leaves_nothing(tmp_path):
    process, code = python(SCRIPT.format(module=MODULE, budget=10_000_000), tmp_path)
    process.stdin.write(code)
    process.stdin.close()
    assert process.stderr.readline().startswith("task-probe-10000000-1.5: 4 points")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    assert process.stderr.read().rstrip().endswith("KeyboardInterrupt")
    assert not list(tmp_path.iterdir())
    process.stdout.close()
    process.stderr.close()


def test_a_probe_that_is_kept_is_a_sweep_goes_on_and_says_the_same(probe, products, tmp_path, capsys, monkeypatch):
    kept = probe(products, out=tmp_path / "runs")
    assert (tmp_path / "runs" / "products-probe-300-1.5" / "report.html").is_file()
    assert kept.sweep == str(tmp_path / "runs" / "products-probe-300-1.5")
    assert kept.sweep in str(kept)
    again = probe(products, out=tmp_path / "runs", progress=True)
    assert "nothing to train" in capsys.readouterr().err
    passing = probe(lambda: products(32))
    assert kept == again == Forecast(**{n: getattr(passing, n) for n in Forecast.__slots__} | {"sweep": kept.sweep})
    monkeypatch.setattr(sys, "argv", ["sweeper", "verify", kept.sweep])
    with pytest.raises(SystemExit, match="0"):
        main()


def test_a_kept_probe_of_another_set_up_needs_another_folder(probe, products, tmp_path):
    probe(products, out=tmp_path, budget=50)
    with pytest.raises(InputError, match=r"Give it a folder of its own \(out=…\)"):
        probe(products, out=tmp_path, budget=50, batch=20)


@pytest.mark.slow
def test_each_call_is_about_its_own_task_and_nothing_of_it_stays(probe, products, temporary):
    one, other = products(), products(seed=1)
    first = probe(one)
    assert probe(other) != first
    assert probe(one) == first
    left = weakref.ref(one.data.train.x)
    del one
    gc.collect()
    assert left() is None
    assert not list(temporary.iterdir())


def test_several_budgets_share_one_probe(probe, products):
    forecast = probe(products(), budget=[100, 300], schedule="piecewise", runs=1)
    assert [p.budget for p in forecast.budgets] == [100, 300]
    assert forecast.lam == forecast.budgets[0].lam == pytest.approx(3 * forecast.budgets[1].lam, rel=0.01)
    assert "no λ was tried" in str(forecast)


def test_momentum_batches_and_optimizers_are_those_of_the_run_to_come(probe, products):
    def lam(**changes):
        return probe(products(), runs=1, **changes).lam

    assert lam(mu=0.9) == pytest.approx(lam() / 10)
    assert lam(batch=20) == pytest.approx(lam() / 5)
    assert lam(eta=torch.tensor(0.6), budget=torch.tensor([300])) == pytest.approx(lam() / 2)
    assert lam(optimizer={"name": "sgd", "nesterov": True}, mu=0.5) == pytest.approx(lam() / 2)
    typical = TYPICAL_DECAY_TIME
    assert lam(optimizer="adamw") == pytest.approx(lam() * typical["adamw"] / typical["sgd"])


def test_the_process_is_as_it_was(probe, products):
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    try:
        probe(products(), runs=1.01)
        assert torch.equal(torch.rand(3), expected)
        assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (2, "high")
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def _default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


STATES = {
    "float64": _default_dtype,
    "default device": _default_device,
    "device": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "anomaly": torch.autograd.detect_anomaly,
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_the_state_of_torch_changes_nothing(probe, products):
    task = products()
    expected = probe(task, budget=30)
    for name, state in STATES.items():
        with state():
            assert probe(task if name != "float64" else products, budget=30).lam == expected.lam, name


def test_threads_get_what_one_alone_gets(probe, products):
    task, found = products(), []
    threads = [threading.Thread(target=lambda: found.append(probe(task, budget=30))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [probe(task, budget=30)] * 2


def test_where_nothing_is_found_the_guess_is_given_and_called_one(probe, products):
    forecast = probe(products(), budget=1, runs=1.01)
    assert not forecast.trials
    assert forecast.lam == probe(products(), budget=1, runs=1).lam
    assert "careful: no λ of the probe has learned" in str(forecast)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"eta": -1}, r"eta: -1 is not allowed: a learning rate is a finite number > 0\."),
        ({"eta": None}, r"eta: null is not allowed"),
        ({"budget": "long"}, r"budget: 'long' is not allowed: T is a number of epochs > 0"),
        ({"budget": []}, r"budget: \[\] is not allowed"),
        ({"budget": [10, -3]}, r"budget: -3 is not allowed"),
        ({"mu": 2}, r"mu: 2 is not allowed: it must be a finite number >= 0 and < 1\."),
        ({"batch": 500}, r"batch: 500 is not allowed: the training set has 100 samples\."),
        ({"optimizer": torch.optim.SGD}, r"optimizer\.name: .*SGD.* is unknown; known: adam, adamw, sgd\."),
        ({"schedule": "cosin"}, r"schedule\.name: 'cosin' is unknown; did you mean 'cosine'\?"),
        ({"runs": 0.5}, r"runs: 0.5 is not allowed"),
        ({"seeds": 0}, r"seeds: 0 is not allowed"),
        ({"threads": 0}, r"threads: 0 is not allowed"),
        ({"device": "tpu"}, r"device: 'tpu' is not allowed: give 'auto', 'cpu' or 'cuda'\."),
    ],
)
def test_bad_values_are_refused_by_the_names_of_the_parameters(probe, products, changes, said):
    with pytest.raises(InputError, match=f"^{said}"):
        probe(products(), **changes)


def test_tasks_that_are_none_are_refused(probe, products, tmp_path, temporary):
    data = products().data
    for task, said in (
        (nn.Linear(8, 2), r"task: this is one network \(Linear\), but the probe trains several"),
        (3, r"task: int is not allowed: give Task\(model=…, data=…\)"),
        (lambda: nn.Linear(8, 2), r"task: <lambda> returned Linear; it must return a sweeper\.Task"),
        (lambda width: products(width, 1), r"task: <lambda> cannot be called as <lambda>\(\): missing"),
        (Task(nn.Linear(8, 2), data), r"task: Task returned a Task whose model is one network"),
        (Task(lambda: nn.Linear(5, 2), data), r"task: the model, data and loss of Task do not fit together"),
        (Task(lambda: Failing(8, 2), data), r"task: training it raised RuntimeError: out of order"),
    ):
        with pytest.raises(InputError, match=f"^{said}"):
            probe(task)
    for task in (products(), lambda: products(32)):
        with pytest.raises(InputError, match=r"a probe that is kept must find its task again, and .* cannot be import"):
            probe(task, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert not list(temporary.iterdir())


def test_errors_of_ones_own_code_keep_their_cause(probe):
    def broken():
        return {}["missing"]

    with pytest.raises(InputError, match=r"^task: broken raised KeyError: 'missing'") as caught:
        probe(broken)
    assert isinstance(caught.value.__cause__, KeyError)
