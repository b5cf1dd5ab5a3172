"""Eighty habits of models: each trains as a plain loop of torch does, or is refused by name.

A model that is accepted is trained in packs of one and of three, interrupted in the middle, and loaded from its file.
"""

import numpy as np
import pytest
from models_support import (
    ALONE,
    EITHER,
    REFUSED,
    TOGETHER,
    VECTORS,
    CountingEvaluation,
    check_trains_as_torch,
    point,
    recipe,
    rows_of,
)

from search_spaces.errors import InputError
from trainables.pack.training import PackTraining
from trainables.profile import profile
from trainables.registered import registered
from trainables.task import Task


@pytest.mark.parametrize("name", TOGETHER)
def test_models_that_share_a_program_train_as_torch_does(name):
    make, data = TOGETHER[name]
    admission = check_trains_as_torch(Task(make, data))
    assert admission.together or name in EITHER, admission.alone_because


@pytest.mark.parametrize("name", ALONE)
def test_models_that_train_alone_train_as_torch_does(name):
    make, data = ALONE[name]
    admission = check_trains_as_torch(Task(make, data))
    assert not admission.together or name in EITHER
    assert admission.together or "The points train one by one" in admission.notes[-1]


@pytest.mark.parametrize("name", REFUSED)
def test_models_whose_numbers_would_be_wrong_are_refused_by_name(name):
    make, said = REFUSED[name]
    with registered(lambda: Task(make, VECTORS)) as function, pytest.raises(InputError) as caught:
        profile(recipe(function))
    assert str(caught.value).startswith("trainable.function: ")
    assert said in str(caught.value)


def test_what_evaluation_changes_does_not_reach_training():
    """Otherwise numbers would depend on when points are measured, and on who shares their pack."""
    task = Task(CountingEvaluation, VECTORS)
    with registered(lambda: task) as name:
        often, seldom = recipe(name), recipe(name).model_copy(update={"measure": recipe(name).measure.model_copy(
            update={"every": None, "log": 1}
        )})  # fmt: skip
        rows = [rows_of(PackTraining(pack, r).measurements(), 0)[-1]
                for pack in ([point(0)], [point(0), point(1)]) for r in (often, seldom)]  # fmt: skip
        for row in rows[1:]:
            np.testing.assert_allclose(row, rows[0], rtol=1e-5)
