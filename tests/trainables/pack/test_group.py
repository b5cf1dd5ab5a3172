"""Two real processes that train a point together, connected by gloo, are equal to one."""

import io
import os
import signal

import numpy as np
import pytest
import torch
from group_support import STEP_OF_ERROR, led_group

from trainables.pack.group import GroupLostError, PartnerError
from trainables.pack.training import PackTraining
from trainables.user_code import ProcessExitError

AUGMENTED = {"flip": True, "crop": 1, "mixup": 1.0, "resized_crop": True}
CNN = {"name": "cnn", "channels": 3, "dense": 6, "pool": 2}
BATCHES = {"trainable.batch": 32, "trainable.micro_batch": 8}
SET_UPS = {
    "running statistics": {"trainable.model": CNN | {"batch_norm": "running"}},
    "statistics of the batch": {"trainable.model": CNN | {"batch_norm": "batch"}, "trainable.augment": AUGMENTED},
    "AutoL2 looks at the batch": {"l2": {"auto": {"every": 2}}, "trainable.augment": AUGMENTED},
    "AutoL2 looks at the set": {"l2": {"auto": {"every": 2, "signal": "train"}}},
    "dropout": {"trainable": {"function": "group_support:drops_out", "batch": 16, "micro_batch": 4}},
    "a schedule": {"schedule": {"name": "cosine", "warmup": 0.2}, "trainable.batch": "full"},
}


@pytest.fixture(scope="module")
def group():
    with led_group() as (group, _):
        yield group


def _curves(measurements):
    """Per point: {column: [value a measurement]}, and the ends by point."""
    curves, ends = {}, {}
    for measurement in measurements:
        for i, member in enumerate(measurement.members):
            for column, values in measurement.values.items():
                curves.setdefault(member, {}).setdefault(column, []).append(float(values[i]))
        ends |= {end.member: (measurement.step, end.outcome) for end in measurement.ends}
    return curves, ends


def _assert_equal(measured, expected):
    (curves, ends), (others, their_ends) = _curves(measured), _curves(expected)
    assert ends == their_ends
    assert curves.keys() == others.keys()
    for member, curve in curves.items():
        for column, values in curve.items():
            # 2e-5: four terms summed in another order, over a dozen steps
            np.testing.assert_allclose(values, others[member][column], rtol=2e-5, atol=1e-6, err_msg=column)


@pytest.mark.parametrize("name", SET_UPS)
def test_two_processes_are_equal_to_one(group, make_point, make_recipe, name):
    recipe, points = make_recipe(BATCHES | SET_UPS[name]), [make_point(eta=0.05, lam=0.1, mu=0.9, budget=6)]
    alone = PackTraining(points, recipe).measurements()
    _assert_equal(PackTraining(points, recipe, group=group).measurements(), alone)


def test_points_of_a_pack_that_one_process_began_may_end_at_different_times(group, make_point, make_recipe):
    points = [make_point(seed=seed, mu=0.9, budget=2 + seed) for seed in range(3)]
    recipe = make_recipe(BATCHES | SET_UPS["running statistics"])
    alone = PackTraining(points, recipe).measurements()
    _assert_equal(PackTraining(points, recipe, group=group).measurements(), alone)


def test_training_goes_on_from_two_processes_to_one_and_back(group, make_point, make_recipe):
    recipe = make_recipe(BATCHES | SET_UPS["running statistics"] | {"trainable.augment": AUGMENTED})
    points = [make_point(eta=0.05, lam=0.1, mu=0.9, budget=12)]

    def relay():
        state = None
        for processes, until in ((2, 4), (1, 8), (2, 12)):
            training = PackTraining(points, recipe, **({"group": group} if processes == 2 else {}))
            if state is not None:
                file = io.BytesIO()
                torch.save(state, file)
                training.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
            for measurement in training.measurements():
                yield measurement
                state = training.state_dict()
                if measurement.values["epoch"][0] == until:
                    break

    _assert_equal(relay(), PackTraining(points, recipe).measurements())


@pytest.mark.parametrize(
    ("rank", "symptom", "kind", "said"),
    [
        *((rank, "error", ValueError, "ValueError: ill") for rank in (0, 1)),
        *((rank, "exit", SystemExit, "SystemExit: ill") for rank in (0, 1)),
        *((rank, "generator-exit", GeneratorExit, "GeneratorExit: ill") for rank in (0, 1)),
        *((rank, "process-exit", ProcessExitError, "ProcessExitError: os._exit(0) was called") for rank in (0, 1)),
    ],
)
def test_an_error_of_the_points_code_anywhere_is_the_leaders_to_judge(
    group, make_point, make_recipe, rank, symptom, kind, said
):
    arguments = {"rank": rank, "symptom": symptom}
    own = {"function": "group_support:falls_ill", "arguments": arguments, "batch": 16, "micro_batch": 8}
    measurements = PackTraining([make_point(budget=9)], make_recipe({"trainable": own}), group=group).measurements()
    steps = (measurement.step for measurement in measurements)
    assert [next(steps) for _ in range(2)] == [2, STEP_OF_ERROR]
    with pytest.raises((kind, PartnerError)) as caught:
        next(steps)
    if rank == 1:
        assert str(caught.value).startswith(f"process 1 of 2: {said}")
        assert "in forward" in "".join(caught.value.__notes__)
    else:
        assert caught.type is kind
    # and the group is as good as new
    recipe, points = make_recipe(BATCHES), [make_point(budget=2)]
    _assert_equal(PackTraining(points, recipe, group=group).measurements(), PackTraining(points, recipe).measurements())


@pytest.mark.slow
@pytest.mark.parametrize("at", ["at the start", "in the middle"])
def test_a_process_that_is_gone_ends_the_leader_too(make_point, make_recipe, at):
    import torch.distributed as dist

    if dist.is_initialized():
        pytest.skip("the default group is taken by the tests above; run alone")
    with led_group() as (group, (partner,)):
        measurements = PackTraining([make_point(budget=1e6)], make_recipe(BATCHES), group=group).measurements()
        if at == "in the middle":
            next(measurements)
        os.kill(partner.pid, signal.SIGKILL)
        with pytest.raises(GroupLostError, match="is gone"):
            for _ in measurements:
                pass


@pytest.mark.slow
def test_a_process_whose_gpu_fails_ends_the_leader_too(make_point, make_recipe):
    import torch.distributed as dist

    if dist.is_initialized():
        pytest.skip("the default group is taken by the tests above; run alone")
    own = {"function": "group_support:falls_ill", "arguments": {"rank": 1, "symptom": "gpu"}}
    recipe = make_recipe({"trainable": own | {"batch": 16, "micro_batch": 8}})
    with led_group() as (group, (partner,)):
        with pytest.raises(GroupLostError, match="is gone"):
            list(PackTraining([make_point(budget=9)], recipe, group=group).measurements())
        partner.join(30)
        assert partner.exitcode == 1
