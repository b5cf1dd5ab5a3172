"""Which packs a run goes on with, and which it plans anew."""

from contextlib import suppress

import pytest
from crash_support import Killed, assert_sound, dying, packs_of, train
from run_support import InterruptedBackend, next_plan

from results.store.ledger import read_ends
from results.store.plan_file import read_plan
from results.store.sweep_dir import SweepDir
from sweeper.backends.inprocess import InProcessBackend


def test_packs_that_have_begun_keep_their_points_and_the_others_are_packed_anew(sweep, small_grid, tmp_path):
    """The numbers of a pack depend, in their last bits, on who trains together."""
    with pytest.raises(KeyboardInterrupt):
        sweep(small_grid("resources.pack=2"), InterruptedBackend)
    before = read_plan(SweepDir(tmp_path / "small"))
    sweep(small_grid("resources.pack=4"))
    after = read_plan(SweepDir(tmp_path / "small"))
    begun, others = before.packs[0], before.packs[1:]
    assert begun in after.packs
    assert sorted(len(p.points) for p in after.packs) == [2, 4]
    assert not {p.id for p in others} & {p.id for p in after.packs}


def test_where_nothing_has_changed_all_packs_stay(sweep, small_grid, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep(small_grid("resources.pack=2"), InterruptedBackend)
    before = read_plan(SweepDir(tmp_path / "small"))
    _, directory = sweep(small_grid("resources.pack=2"))
    assert read_plan(directory).pack_points == before.pack_points


def test_a_pack_under_way_keeps_its_points_though_packs_are_to_be_smaller(tmp_path):
    directory = SweepDir(tmp_path / "faults")
    with dying(directory, 12), suppress(Killed):
        train(packs_of(4), tmp_path)
    (begun,) = read_plan(directory).packs
    assert not read_ends(directory)
    plan = next_plan(directory, packs_of(2), InProcessBackend())
    assert [(pack.id, pack.points) for pack in plan.packs] == [(begun.id, begun.points)]


@pytest.mark.slow
def test_an_older_plan_that_is_put_back_trains_nothing_twice(tmp_path):
    directory = SweepDir(tmp_path / "faults")
    with dying(directory, 12), suppress(Killed):
        train(packs_of(4), tmp_path)
    old = directory.plan.read_text()
    directory.plan.unlink()
    with dying(directory, 400), suppress(Killed):
        train(packs_of(2), tmp_path)
    assert read_ends(directory)
    directory.plan.write_text(old)
    with dying(directory):
        train(packs_of(2), tmp_path)
    assert_sound(directory, 4)
