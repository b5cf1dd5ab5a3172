"""Packs that do not fit into memory are halved, and later ones are planned so."""

import gc
import os
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from crash_support import Killed, commit_always, dying, train, train_dying
from faults_support import Sweep, assert_same

import sweeper.worker.run_pack
from results.store.files import sizes_in
from results.store.parts import valid_parts_in
from results.store.plan_file import read_plan
from results.store.sweep_dir import SweepDir
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from sweeper.driver.pack_sizes import limit_packs
from sweeper.worker.memory_limits import (
    read_point_limit,
    read_point_limits,
    record_too_many_points,
)
from sweeper.worker.run_pack import run_pack
from trainables.memory import out_of_memory
from trainables.pack.training import PackTraining
from trainables.profile import profiles_of

ROOT = Path(__file__).parents[3]
WIDE = """
name: wide
trainable:
  model: {name: fc, width: 2048, depth: 2}
  data: {name: digits, train: 8}
axes: {eta: [0.1], lam: [0.01], seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]}
budget: {rule: fixed, constant: 3}
measure: {every: {steps: 3}}
resources: {pack: 16}
"""
# 16 points have 16 · 4.4 million weights, 4 bytes each, as many for their gradients, and the
# outputs of three layers for the test images: 900 MB, 8 points half of that.
LIMITED = """
import resource, sys
from pathlib import Path
from crash_support import train
from search_spaces.reading.load import load_grid
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 700_000_000,) * 2)
grid = load_grid(Path(sys.argv[1]).read_text(), sys.argv[1])
train(grid, Path(sys.argv[2]))
"""


def test_the_end_of_memory_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**60, dtype=torch.uint8)
    assert out_of_memory(error.value)
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert out_of_memory(MemoryError())
    assert out_of_memory(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"))
    assert out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_what_did_not_fit_limits_the_plan(tmp_path, small_grid):
    directory, grid = SweepDir(tmp_path / "demo"), small_grid()
    profiles = profiles_of(grid, make_points(grid))
    (variant,) = profiles
    assert read_point_limit(directory, variant) is None
    assert read_point_limits(directory, profiles) == {}
    for points in (7, 4, 4):
        record_too_many_points(directory, variant, points)
    assert read_point_limit(directory, variant) == 2
    assert read_point_limits(directory, profiles) == {variant: 2}
    assert limit_packs(profiles, {variant: 2})[variant].pack_limit == 2
    assert read_point_limit(directory, (("model.width", 8),)) is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_sweep_in_too_little_memory_ends_like_any_other(tmp_path):
    file = tmp_path / "wide.yaml"
    file.write_text(WIDE)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(file), str(tmp_path / "limited")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support", "MALLOC_ARENA_MAX": "1"},
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    limited_, free = SweepDir(tmp_path / "limited" / "wide"), train(load_grid(WIDE, "wide.yaml"), tmp_path / "free")
    assert [len(pack.points) for pack in read_plan(limited_).packs] == [16]
    tried = sorted(int(name.rpartition("-")[2]) for name in sizes_in(limited_.memory))
    assert tried[-1] == 16
    assert not sizes_in(free.memory)
    assert_same(limited_, free)

    more = load_grid(WIDE, "wide.yaml", [f"axes.seed={list(range(32))}"])
    train(more, tmp_path / "limited")
    assert max(len(pack.points) for pack in read_plan(limited_).packs[:2]) == tried[0] // 2


@pytest.fixture
def greedy(monkeypatch):
    """Packs of more than two points run out of memory at their second measurement."""
    measurements = PackTraining.measurements

    def until_the_memory_ends(training, pulse):
        for number, measurement in enumerate(measurements(training, pulse)):
            if number == 2 and training.state_dict()["parameters"] and _width(training) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield measurement

    monkeypatch.setattr(PackTraining, "measurements", until_the_memory_ends)


def _width(training):
    return len(next(iter(training.state_dict()["parameters"].values())))


def test_memory_is_released_when_nothing_holds_the_points_that_did_not_fit(tmp_path, small_grid, greedy, monkeypatch):
    trainings, alive = weakref.WeakSet(), []
    start = PackTraining.__init__

    def started(training, *arguments):
        start(training, *arguments)
        trainings.add(training)

    def released():
        gc.collect()
        alive.append(len(trainings))

    monkeypatch.setattr(PackTraining, "__init__", started)
    monkeypatch.setattr(sweeper.worker.run_pack, "release_gpu_memory", released)
    train(small_grid("resources.pack=6", "measure.log=4"), tmp_path)
    assert alive == [0, 0]  # after 6 points and after 3


@pytest.mark.parametrize("at", range(0, 60, 9))
def test_a_worker_may_die_at_any_change_while_packs_are_halved(tmp_path, small_grid, greedy, at):
    grid = small_grid("recovery.commit_seconds=0", "resources.pack=6", "measure.log=4")
    whole = train_dying(grid, tmp_path / "whole")
    assert {name.rpartition("-")[2] for name in sizes_in(whole.memory)} == {"6", "3"}
    with pytest.MonkeyPatch.context() as patch:
        commit_always(patch)
        died = train_dying(grid, tmp_path / "died", at)
    assert_same(died, whole)
    assert len({name.pack for name in valid_parts_in(died)}) == 1


@pytest.mark.parametrize("at", range(3, 31, 9))
def test_the_worker_after_one_that_filled_its_machine_trains_half_of_the_points_at_a_time(tmp_path, small_grid, at):
    grid = small_grid("recovery.commit_seconds=0", "resources.pack=6", "measure.log=4")
    whole, directory = train_dying(grid, tmp_path / "whole"), SweepDir(tmp_path / "died" / grid.name)
    with dying(directory, at), suppress(Killed):
        train(grid, tmp_path / "died")
    (pack,) = read_plan(directory).packs
    with dying(directory):
        run_pack(str(directory.root), pack.id, lambda _: None, halve=True)
    assert {name.rpartition("-")[2] for name in sizes_in(directory.memory)} == {"6"}
    assert_same(directory, whole)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_packs_are_halved_that_ray_stops_since_the_machine_runs_out_of_memory(tmp_path):
    """A pack of 8 takes 1.6 GB, and all else that runs some 2 GB."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    sizes = {words[0]: int(words[1]) for words in lines}
    total = sizes["MemTotal:"]
    most = (total - sizes["MemAvailable:"] + 2.4e6) / total
    sweep = Sweep(tmp_path, "trainable.model.width=4096", "resources.cpus_per_pack=2", "recovery.retries=9", text=WIDE)
    assert sweep.finish(RAY_memory_usage_threshold=f"{most:.4f}", RAY_memory_monitor_refresh_ms="100") == 0
    assert sizes_in(sweep.directory.memory)
    assert_same(sweep.directory, train(sweep.grid, tmp_path / "free"))


def test_where_there_is_no_memory_for_a_copy_of_the_state_rows_are_committed_without(tmp_path, small_grid, monkeypatch):
    grid = small_grid("recovery.commit_seconds=0", "measure.log=4")
    whole = train(grid, tmp_path / "whole")

    def full(_training):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(PackTraining, "state_dict", full)
    commit_always(monkeypatch)
    directory = train(grid, tmp_path / "full")
    assert len(valid_parts_in(directory)) > len(valid_parts_in(whole))
    assert_same(directory, whole)


def test_a_measurement_may_take_more_memory_than_a_step(small_grid):
    """The CNN of Figure 3 on 1,024 images, against a step on 8."""
    cnn = "trainable={model: {name: cnn, channels: 16, dense: 16, pool: 2}, data: {name: digits, train: 64}, batch: 8}"
    grid = small_grid(cnn)
    (profile,) = profiles_of(grid, make_points(grid)).values()
    assert profile.point_bytes > 3 * 4 * 1024 * 16 * 8 * 8
