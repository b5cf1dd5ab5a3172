"""The GPU half of benchmarks/training.py, tiny and on the CPU: what is measured there, nothing here says how fast."""

import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

FILE = Path(__file__).parent.parent / "benchmarks" / "training.py"


@pytest.fixture(autouse=True)
def _as_it_was():
    """One thread, since tests run beside each other; and what the script sets in this process."""
    threads, matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = cudnn


@pytest.fixture(scope="module")
def training():
    """The script as a module that can be found by name, as its own function is."""
    spec = importlib.util.spec_from_file_location("benchmark_of_training", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def turns(training):
    return training.Turns(device="cpu", rounds=1, least=0.01, warm_up=1)


@pytest.fixture
def sizes(training):
    return training.Sizes(depth=10, width=1, images=8, batch=4, workers=0)


def _assert_rows(rows, ratios):
    """Rows of three cells; as many ratios as expected; every number finite and positive."""
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert {len(row) for row in cells} == {3}
    values = [float(row[1]) for row in cells if row[1]]
    assert len(values) == ratios
    told = [
        float(number) for what, ratio, _ in cells if not ratio for number in re.findall(r"[\d.]+(?:e[+-]?\d+)?", what)
    ]
    assert all(0 < value < math.inf for value in values + told)


def test_wide_resnets_beside_the_plain_loop(training, turns, sizes):
    variants = {"eager": training.VARIANTS["eager"]}  # compiling takes a minute
    _assert_rows(training.wrn(turns, sizes, variants, product=64), ratios=3)


def test_wide_resnets_in_a_pack(training, turns, sizes):
    _assert_rows(training.wrn_pack(turns, sizes), ratios=1)


def test_fully_connected_packs_beside_solo_loops(training, turns):
    _assert_rows(training.fc2048_gpu(turns, width=8, count=2), ratios=3)
    _assert_rows(training.fc64_gpu(turns, count=2), ratios=1)


def test_without_a_gpu_its_benchmarks_say_so():
    command = [sys.executable, str(FILE), "--only", "wrn", "--only", "fc64-gpu"]
    environment = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(FILE.parent.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("Not measured, since they need a GPU: wrn, fc64-gpu.\n")


def test_the_phases_of_the_analysis_that_are_timed_are_there():
    spec = importlib.util.spec_from_file_location("benchmark_of_analysis", FILE.with_name("analysis.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert all(hasattr(importlib.import_module(place), name) for place, name, _ in module.PHASES)


def test_verdicts_are_counted_over_groups_of_seeds(sweep, small_grid):
    _, directory = sweep(small_grid("axes.seed=[0,1,2,3]"))
    command = [sys.executable, FILE.with_name("seeds.py"), directory.root, "--seeds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, _, *rows = done.stdout.splitlines()
    assert "of 2 groups of 2 seeds" in header
    told = {row.split("|")[1].strip().strip("`"): row.split("|")[2] for row in rows}
    assert "scaling" in told
    assert all(sum(map(int, re.findall(r"\d+", counts))) == 2 for counts in told.values())


def test_planning_at_any_size_is_timed(tmp_path):
    command = [sys.executable, FILE.with_name("scale.py"), "--only", "planning", "--points", "60", "--planned", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^Planning ([\d,]+) points", done.stdout, re.MULTILINE) == ["60", "1,000"]
    assert all(0 < float(size) < 1 for size in re.findall(r"plan.json +([\d.]+) MiB", done.stdout))


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_on_a_simulated_cluster_is_measured_and_comes_to_its_end(tmp_path):
    command = [sys.executable, FILE.with_name("scale.py"), "--points", "60", "--nodes", "2", "--seconds", "12"]
    done = subprocess.run([*command, "--planned", "60"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"^  (\S.*?) {2,}([\d.,]+) ", done.stdout, re.MULTILINE))
    makespan, bound = (float(said[what]) for what in said if what.startswith(("makespan", "bound")))
    assert 12 <= bound <= makespan
    assert float(said["driver's CPU"]) > 0
    assert float(said["run again: from the command to the first pack"]) > float(
        said["run again: from the command to plan.json"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["analysis.py", "--rows", "1e5"], "sweeper analyze"),
        (["faults.py", "--only", "SIGKILL", "--scale", "0.02", "--pairs", "0"], "run killed"),
    ],
)
def test_a_benchmark_runs(command, said, tmp_path):
    script, *options = command
    scratch = ["--scratch", str(tmp_path)] if script == "analysis.py" else []
    done = subprocess.run(
        [sys.executable, FILE.with_name(script), *options, *scratch], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
