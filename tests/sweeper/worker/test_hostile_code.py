"""Whatever the code of a user does, it is the outcome of its point, with a readable reason; the others go on."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from typer.testing import CliRunner

from results.store.ledger import read_ends
from results.store.sweep_dir import SweepDir
from search_spaces.errors import MAX_TRACEBACK, InputError, describe_error, describe_traceback, one_line
from search_spaces.outcome import Outcome
from search_spaces.reading.load import load_grid
from sweeper.cli.app import app

LOOPS = '''
import os, sys, threading
from trainables.own_loop import Measured

class Hostile(Exception):
    def __str__(self):
        raise ValueError("no text")
    __repr__ = __str__

class Leaving(Exception):
    def __str__(self):
        os._exit(5)

class Silent(BaseException):
    pass

class Ends:
    """An iterator that is no generator."""
    def __init__(self, error): self.error = error
    def __iter__(self): return self
    def __next__(self): raise self.error

def raised(error):
    raise error

def noted():
    error = ValueError("noted")
    error.add_note("\\\\ud800" * 10**6)
    raise error

def caught():
    try:
        os._exit(6)
    except Exception:
        pass

def measured(**changes):
    return Measured(**(dict(step=1, epoch=1, train_acc=0.5, test_acc=0.5, train_loss=1.0, test_loss=1.0) | changes))

FAULTS = {
    "exit": lambda: os._exit(3),
    "exit-that-is-caught": caught,
    "interrupt": lambda: raised(KeyboardInterrupt("mine")),
    "generator-exit": lambda: raised(GeneratorExit("mine")),
    "system-exit": lambda: sys.exit("mine"),
    "other-base": lambda: raised(Silent("mine")),
    "text-raises": lambda: raised(Hostile()),
    "text-exits": lambda: raised(Leaving()),
    "exit-of-hostile-text": lambda: raised(SystemExit(Hostile())),
    "surrogates": lambda: raised(ValueError("\\\\ud800\\\\udfff")),
    "escapes": lambda: raised(ValueError("\\\\x1b[2J\\\\0\\\\r\\\\nsecond line")),
    "100 MB": lambda: raised(ValueError("x" * 10**8)),
    "hostile-name": lambda: raised(type("\\\\x1b]0;title\\\\x07" * 1000, (Exception,), {})("mine")),
    "hostile-note": noted,
    "step-beyond-64-bits": lambda: measured(step=10**30),
    "step-below-0": lambda: measured(step=-(2**70)),
    "step-of-a-half": lambda: measured(step=1.5),
    "step-that-is-none": lambda: measured(step=float("nan")),
    "epoch-of-400-digits": lambda: measured(epoch=10**400),
    "epoch-of-5000-digits": lambda: measured(epoch=10**5000),
    "epoch-below-0": lambda: measured(epoch=-1.0),
    "loss-of-400-digits": lambda: measured(train_loss=10**400),
    "norm-of-400-digits": lambda: measured(weight_norm=-(10**400)),
    "infinite-decay-time": lambda: measured(decay_time=float("inf")),
    "complex": lambda: measured(epoch=1j),
}

def loop(point, device, fault):
    yield measured()
    if point.lam > 0:
        yield FAULTS[fault]()

def ended(point, device, fault):
    return Ends({"interrupt": KeyboardInterrupt, "generator-exit": GeneratorExit, "exit": SystemExit}[fault]("mine"))
'''
FAULTS = [line.split('"')[1] for line in LOOPS.splitlines() if line.startswith('    "') and '": ' in line]
GRID = """
name: hostile
trainable: {{loop: "hostile_loops:{function}", arguments: {{fault: {fault}}}}}
axes: {{eta: [0.1], lam: [0, 0.1]}}
budget: {{rule: fixed, constant: 5}}
"""


MODULES = """
import os, sys
import torch
from trainables.data import Dataset
from trainables.task import Task

class Silent(BaseException):
    pass

def raised(error):
    raise error

def leave():
    WAY

class Leaves(torch.nn.Linear):
    def __init__(self): super().__init__(4, 2)
    def forward(self, x): leave()

def task(model):
    x, labels = torch.randn(16, 4), torch.arange(16) % 2
    return Task(model, Dataset.from_tensors(x, labels, x, labels, classes=2))

in_function = leave
def in_model(): return task(leave)
def in_forward(): return task(Leaves)
"""
WAYS = {
    "sys.exit(0)": "SystemExit: 0",
    "os._exit(0)": "ProcessExitError: os._exit(0) was called",
    "raised(GeneratorExit())": "GeneratorExit",
    "raised(Silent())": "Silent",
    "raised(StopIteration())": "StopIteration",
}
PLACES = {
    "import": "function: MODULE:any",
    "import of a loop": "loop: MODULE:any",
    "function": "function: MODULE:in_function",
    "model": "function: MODULE:in_model",
    "forward": "function: MODULE:in_forward",
}


@pytest.fixture(scope="module", autouse=True)
def loops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loops")
    (folder / "hostile_loops.py").write_text(LOOPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


def outcomes_of(train, function, fault):
    directory, _, heard = train(load_grid(GRID.format(function=function, fault=fault), "grid.yaml"))
    assert heard[-1].left
    return directory, read_ends(directory).values()


@pytest.fixture(autouse=True)
def not_the_default_handler(monkeypatch):
    """As in a run, whose handlers raise another interrupt: so that one of the loop can be told from a signal's."""
    import signal

    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_loop_that_leaves_in_any_way_fails_alone(train, fault):
    leave = os._exit
    directory, ends = outcomes_of(train, "loop", fault)
    assert os._exit is leave
    assert Counter(end.outcome for end in ends) == {Outcome.COMPLETED: 1, Outcome.FAILED: 1}
    (failed,) = (end for end in ends if end.outcome is Outcome.FAILED)
    assert failed.why.isprintable()
    assert 10 < len(failed.why) < 700
    log = (directory.logs / f"{failed.point}.txt").read_bytes()
    assert len(log) < 10 * MAX_TRACEBACK
    assert not {0, 0x1B, 0x0D} & set(log)
    if fault.startswith("exit"):
        assert "os._exit(" in failed.why or "SystemExit" in failed.why


@pytest.mark.parametrize("fault", ["interrupt", "generator-exit", "exit"])
def test_an_iterator_that_leaves_fails_alone(train, fault):
    _, ends = outcomes_of(train, "ended", fault)
    assert Counter(end.outcome for end in ends) == {Outcome.FAILED: 2}
    assert all("mine" in end.why for end in ends)


def test_a_run_in_a_process_of_its_own_goes_on_after_a_loop_that_ends_the_process(loops, tmp_path):
    (tmp_path / "grid.yaml").write_text(GRID.format(function="loop", fault="exit"))
    words = [sys.executable, "-m", "sweeper", "run", "grid.yaml", "--backend", "inprocess", "--tracking-uri", "none"]
    environment = os.environ | {"PYTHONPATH": f"{loops}:{os.environ.get('PYTHONPATH', '')}", "COLUMNS": "300"}
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "1 point failed: ProcessExitError: os._exit(3) was called" in done.stdout
    assert len(read_ends(SweepDir(tmp_path / "runs/hostile"))) == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", PLACES)
def test_code_that_leaves_before_anything_trains_is_an_error(tmp_path, monkeypatch, way, place):
    """A run that has trained nothing may not end with the status of success."""
    module = f"leaving_{list(PLACES).index(place)}_{list(WAYS).index(way)}"
    text = MODULES.replace("WAY", way) + ("leave()" if "import" in place else "")
    (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    trainable = PLACES[place].replace("MODULE", module)
    grid = GRID.replace('loop: "hostile_loops:{function}", arguments: {{fault: {fault}}}', trainable)
    (tmp_path / "grid.yaml").write_text(grid.format())
    leave = os._exit
    for command in (["plan"], ["run", "--backend", "inprocess", "--tracking-uri", "none"]):
        result = CliRunner().invoke(app, [command[0], "grid.yaml", *command[1:]])
        assert isinstance(result.exception, InputError), result.output
        assert f"raised {WAYS[way]} ({tmp_path}/{module}.py:" in str(result.exception)
    assert os._exit is leave
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("a\n  b\t c", "a b c"),
        ("\x1b[2Jtext \x1b]0;title\x07of a \x9b31mpage", "text of a page"),
        ("\x1b\x1b[0m[2J", r"\x1b[2J"),
        ("\x1b[0m" * 10**4 + "text", "text"),
        ("nul\0", r"nul\x00"),
        ("\ud800", r"\ud800"),
        ("κ ≈ 0.5", "κ ≈ 0.5"),
        ("\u202eright to left", r"\u202eright to left"),
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 499 + "…"),
        ("\0" * 10**6, (r"\x00" * 500)[:499] + "…"),
        ("line\u2028other", "line other"),
    ],
)
def test_any_text_is_one_bounded_line(text, line):
    assert one_line(text) == line
    assert line.isprintable()


def test_errors_without_a_text_or_a_traceback_are_described():
    class MuteError(Exception):
        def __str__(self):
            raise ValueError

    assert describe_error(ValueError()) == "ValueError"
    assert describe_error(MuteError()) == "MuteError (whose text cannot be read)"
    assert "MuteError" in describe_traceback(MuteError())
    assert len(describe_traceback(ValueError("x" * 10**6))) < MAX_TRACEBACK + 100
