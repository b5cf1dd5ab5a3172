"""Capacity of machines for packs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.sections.grid import Resources
from sweeper.backends.capacity import (
    Capacity,
    at_most,
    available_cpus,
    count_processes,
    gpu_bytes_per_pack,
    local_capacity,
    local_gpu_bytes,
)


@pytest.mark.parametrize(
    ("cpus", "gpus", "asked", "count"),
    [
        (8, 0, {}, 8),
        (8, 0, {"cpus_per_pack": 3}, 2),
        (8, 0, {"cpus_per_pack": 0.5}, 16),
        (64, 8, {"gpus_per_pack": 1}, 8),
        (64, 8, {"gpus_per_pack": 0.3}, 24),  # three on each: a pack is not spread over two
        (64, 8, {"gpus_per_pack": 3}, 2),
        (4, 8, {"gpus_per_pack": 1}, 4),
        (64, 8, {"gpus_per_pack": 4, "processes_per_pack": 4}, 8),
        (64, 0, {"gpus_per_pack": 0.1}, 0),
    ],
)
def test_a_machine_holds_what_its_cpus_and_gpus_hold(cpus, gpus, asked, count):
    assert count_processes(cpus, gpus, Resources(**asked)) == count


@given(st.lists(st.integers(10**9, 10**12), min_size=1), st.floats(0.01, 8))
def test_a_pack_has_its_share_of_the_smallest_gpu_and_never_more_than_one(gpus, share):
    assert gpu_bytes_per_pack(gpus, Resources(gpus_per_pack=share)) == pytest.approx(min(gpus) * min(share, 1))


def test_packs_on_cpus_have_no_memory_of_gpus():
    assert gpu_bytes_per_pack([10**9], Resources()) is None
    assert gpu_bytes_per_pack([], Resources(gpus_per_pack=1)) is None


@pytest.mark.parametrize("asked", [{}, {"cpus_per_pack": 1000}, {"gpus_per_pack": 0.5}])
def test_a_plan_can_be_made_anywhere(asked):
    capacity = local_capacity(Resources(**asked))
    assert capacity.workers >= 1
    if not local_gpu_bytes():
        assert capacity.workers == max(1, int(available_cpus() / asked.get("cpus_per_pack", 1)))
        assert capacity.pack_bytes is None


def test_a_capacity_may_be_limited_but_never_grows():
    whole = Capacity(workers=4, pack_bytes=1e9)
    assert [at_most(whole, most).workers for most in (None, 1, 4, 9)] == [4, 1, 4, 4]
    assert at_most(whole, 2).pack_bytes == 1e9
