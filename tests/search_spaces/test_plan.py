import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from search_spaces.cost import Profile, point_cost, total_cost
from search_spaces.errors import InputError
from search_spaces.packing import PACK_OVERHEAD, PACKABLE, STEP_OVERHEAD
from search_spaces.plan import make_plan
from search_spaces.points import Point, make_points, variants
from search_spaces.sections.grid import Measure, Steps

LOG = Measure(log=10)
PROFILE = Profile(
    train=512,
    test=1285,
    batch=512,
    parameters=13_000,
    decay="all",
    forward_flops=25_000.0,
    measured=1285,
    watched=0,
    pack_limit=16,
)


def profiles_of(points, **changes):
    return {variant: replace(PROFILE, **changes) for variant in variants(points)}


def content(plan):
    return [(pack.id, [p.id for p in pack.points], pack.cost) for pack in plan.packs]


@st.composite
def point_sets(draw):
    size = draw(st.integers(1, 60))
    points = []
    for i in range(size):
        width = draw(st.sampled_from([None, 8, 16]))
        points.append(
            Point(
                id=f"{i:04d}",
                eta=draw(st.sampled_from([0.1, 1.0])),
                lam=draw(st.sampled_from([0.0, 1e-3])),
                mu=draw(st.sampled_from([0.0, 0.9])),
                seed=i,
                sigma_w=draw(st.sampled_from([1.0, 2.0])),
                budget=draw(st.sampled_from([1e-3, 1.0, 40.0, 1000.0, 1e6])),
                variant=() if width is None else (("model.width", width),),
            )
        )
    return points


options = st.fixed_dictionaries(
    {
        "workers": st.integers(1, 8),
        "device": st.sampled_from(["cpu", "gpu"]),
        "pack": st.none() | st.integers(1, 64),
    }
)


@given(point_sets(), options)
def test_packs_partition_the_points(points, how):
    plan = make_plan(points, profiles_of(points), LOG, **how)
    assert Counter(plan.points) == Counter(points)
    assert len({pack.id for pack in plan.packs}) == len(plan.packs)
    assert all(pack.points for pack in plan.packs)


@given(point_sets(), options)
def test_points_of_a_pack_differ_in_packable_axes_only(points, how):
    for pack in make_plan(points, profiles_of(points), LOG, **how).packs:
        fixed = [{k: v for k, v in p.axes().items() if k not in PACKABLE} for p in pack.points]
        assert all(other == fixed[0] for other in fixed)
        assert len({p.variant for p in pack.points}) == 1


def test_what_may_differ_in_a_pack_is_a_deliberate_choice():
    assert PACKABLE == ("eta", "lam", "seed", "sigma_w", "budget")


@given(point_sets(), options, st.integers(1, 20))
def test_no_pack_exceeds_the_device_or_the_grid(points, how, limit):
    plan = make_plan(points, profiles_of(points, pack_limit=limit), LOG, **how)
    assert max(len(pack.points) for pack in plan.packs) <= min(limit, how["pack"] or limit)


@given(st.data(), point_sets(), options)
def test_the_plan_does_not_depend_on_the_order_of_points(data, points, how):
    shuffled = data.draw(st.permutations(points))
    one, other = (make_plan(p, profiles_of(p), LOG, **how) for p in (points, shuffled))
    assert content(one) == content(other)
    assert (one.makespan, one.bound) == (other.makespan, other.bound)


@given(point_sets(), options)
def test_longest_first(points, how):
    plan = make_plan(points, profiles_of(points), LOG, **how)
    overhead = STEP_OVERHEAD[how["device"]]

    def steps_of(pack):
        return max(PROFILE.last_step(p.budget) for p in pack.points)

    durations = [pack.cost.flops + overhead * steps_of(pack) for pack in plan.packs]
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(durations))
    for pack in plan.packs:
        budgets = [PROFILE.last_step(p.budget) for p in pack.points]
        assert budgets == sorted(budgets, reverse=True)


@given(point_sets(), options, st.floats(0.001, 1.0))
def test_turns_are_the_packs_in_order_several_where_they_are_short(points, how, share):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search_spaces.plan.CHUNK_SHARE", share)
        plan = make_plan(points, profiles_of(points), LOG, **how)
    assert [pack for chunk in plan.chunks for pack in chunk] == [pack.id for pack in plan.packs]
    overhead, fixed = STEP_OVERHEAD[how["device"]], PACK_OVERHEAD[how["device"]]
    durations = {
        pack.id: fixed + pack.cost.flops + overhead * max(PROFILE.last_step(p.budget) for p in pack.points)
        for pack in plan.packs
    }
    lengths = [sum(durations[pack] for pack in chunk) for chunk in plan.chunks]
    most = share * plan.bound * (1 + 1e-9)
    assert all(len(chunk) == 1 or length <= most for chunk, length in zip(plan.chunks, lengths, strict=True))
    assert all(a + durations[chunk[0]] > most / (1 + 1e-8) for a, chunk in zip(lengths, plan.chunks[1:], strict=False))


@given(point_sets(), options)
def test_makespan_lies_between_the_bound_and_one_worker(points, how):
    plan = make_plan(points, profiles_of(points), LOG, **how)
    assert plan.makespan >= plan.bound * (1 - 1e-12)
    alone = make_plan(points, profiles_of(points), LOG, workers=1, device=how["device"], pack=how["pack"])
    assert plan.makespan <= alone.makespan * (1 + 1e-12)


@given(point_sets(), options)
def test_costs_add_up(points, how):
    plan = make_plan(points, profiles_of(points), LOG, **how)
    alone = total_cost(point_cost(p, PROFILE, LOG) for p in points)
    assert (plan.cost.steps, plan.cost.measurements) == (alone.steps, alone.measurements)
    assert plan.cost.flops == pytest.approx(alone.flops)


@given(st.data(), point_sets(), options, options)
def test_packs_that_are_continued_stay_as_they_are_and_cost_what_is_left(data, points, how, then):
    """The run before had fewer points, some of which have ended since; the names of axes may have grown."""
    before = make_plan(points[::2], profiles_of(points), LOG, **how)
    ended = set(data.draw(st.lists(st.sampled_from(points[::2]))))
    grown = [replace(p, variant=(*p.variant, ("loss.scale", "mean"))) for p in points if p not in ended]
    left = {p.id for p in grown}
    kept = [pack for pack in before.packs if data.draw(st.booleans()) and any(p.id in left for p in pack.points)]
    assume(grown)
    plan = make_plan(grown, profiles_of(grown), LOG, **then, continued=kept)
    members = {pack.id: [p.id for p in pack.points] for pack in plan.packs}
    assert {pack.id: [p.id for p in pack.points] for pack in kept}.items() <= members.items()
    assert left <= {p for ids in members.values() for p in ids}
    assert max(Counter(p for ids in members.values() for p in ids).values()) == 1
    assert plan.cost.steps == total_cost(point_cost(p, PROFILE, LOG) for p in grown).steps


def test_the_best_size_is_no_worse_than_any_given_one(digits):
    points = make_points(digits())
    best = make_plan(points, profiles_of(points), LOG, workers=2)
    for size in (1, 2, 4, 8, 16):
        assert best.makespan <= make_plan(points, profiles_of(points), LOG, workers=2, pack=size).makespan


def test_nothing_left_to_train():
    plan = make_plan([], {}, LOG, workers=2)
    assert (plan.packs, plan.makespan, plan.bound, plan.cost) == ((), 0.0, 0.0, total_cost([]))


@pytest.mark.parametrize(
    ("budget", "batch", "steps"),
    [
        pytest.param(10.0, 512, 10, id="full-batch"),
        pytest.param(10.0, 64, 80, id="batches"),
        pytest.param(10.0, 500, 10, id="the-rest-of-an-epoch-is-left-out"),
        pytest.param(0.1 + 0.2, 51, 3, id="no-step-from-rounding"),
        pytest.param(1.01, 512, 2, id="a-started-step-is-taken"),
        pytest.param(4e-4, 512, 1, id="at-least-one"),
    ],
)
def test_steps_of_a_budget(budget, batch, steps):
    assert replace(PROFILE, batch=batch).last_step(budget) == steps


def test_cost_of_a_point(digits):
    (point,) = make_points(digits("axes={eta: [1], lam: [0.02]}"))
    cost = point_cost(point, PROFILE, Measure(every=Steps(steps=30)))
    assert (cost.steps, cost.measurements) == (100, 4)
    assert cost.training_flops == 100 * 3 * 512 * 25_000
    assert cost.measuring_flops == 4 * 1285 * 25_000
    shuffled = replace(PROFILE, batch=64, measured=512 + 1285)
    assert point_cost(point, shuffled, Measure(every="epoch")).measuring_flops == 100 * (1285 + 512) * 25_000


def test_a_point_with_a_million_rows_is_refused_before_they_are_counted_out(digits):
    (point,) = make_points(digits("axes={eta: [1], lam: [0.02]}", "budget={rule: fixed, constant: 1e9}"))
    with pytest.raises(InputError) as caught:
        make_plan([point], {(): PROFILE}, Measure(every=Steps(steps=2)), workers=1)
    assert str(caught.value) == (
        "measure: the point eta 1, lam 0.02 of 1,000,000,000 epochs would be measured 500,000,000 times; at most "
        "1,000,000 are allowed. Write measure: {log: 60} for 60 a decade, or measure less often."
    )


def test_a_hundred_thousand_points_are_planned(digits):
    grid = digits("axes.eta={log: [1e-3, 1e2], num: 1000}", "axes.lam={log: [1e-5, 1e2], num: 100}")
    points = make_points(grid)
    plan = make_plan(points, profiles_of(points), grid.measure, workers=4)
    assert len(plan.points) == 100_000
    assert math.isfinite(plan.makespan)


def test_micro_batches_are_dispatched_one_by_one_and_processes_share_them():
    point = Point(id="p", eta=0.1, lam=1e-3, mu=0.0, seed=0, sigma_w=1.0, budget=1000.0)
    shares = {"micro_batches": 8}, {"micro_batches": 8, "processes": 4}
    whole, parts, shared = (make_plan([point], profiles_of([point], **how), LOG, workers=1) for how in ({}, *shares))
    assert parts.cost == shared.cost == replace(whole.cost, dispatches=8 * whole.cost.dispatches)
    assert parts.bound == pytest.approx(whole.bound + 7 * 1000 * STEP_OVERHEAD["cpu"])
    assert shared.makespan - PACK_OVERHEAD["cpu"] == pytest.approx((parts.makespan - PACK_OVERHEAD["cpu"]) / 4)
