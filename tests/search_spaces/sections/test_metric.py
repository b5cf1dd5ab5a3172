"""The section ``metric``: its direction, its names in tables, and what it decides of a point."""

import numpy as np
import pytest

from search_spaces.changes import conflicts
from search_spaces.errors import InputError
from search_spaces.points import make_points
from search_spaces.reading.load import load_grid
from search_spaces.sections.metric import TEST_ACCURACY, Metric

LOSS = Metric(name="test_loss")


def test_the_direction_follows_from_the_name(digits):
    assert (TEST_ACCURACY.mode, LOSS.mode) == ("max", "min")
    assert digits().metric == TEST_ACCURACY
    assert digits("metric={name: test_loss}").metric == LOSS
    assert digits("metric={name: test_loss, mode: min}").metric == LOSS


def test_names_in_tables_and_in_words():
    assert (TEST_ACCURACY.column, TEST_ACCURACY.best, TEST_ACCURACY.last) == (
        "test_acc",
        "best_test_acc",
        "last_test_acc",
    )
    assert (LOSS.column, LOSS.best, LOSS.last) == ("test_loss", "best_test_loss", "last_test_loss")
    assert (TEST_ACCURACY.extreme, LOSS.extreme) == ("maximum", "minimum")
    assert (TEST_ACCURACY.shown(0.95), LOSS.shown(0.0123456)) == ("0.9500", "0.01235")


def test_scores_are_larger_where_values_are_better():
    values = np.array([0.5, 2.0])
    assert TEST_ACCURACY.score(values).tolist() == [0.5, 2.0]
    assert LOSS.score(LOSS.score(values)).tolist() == values.tolist()
    assert LOSS.score(0.5) > LOSS.score(2.0)


def test_a_tolerance_is_an_accuracy_or_a_share_of_what_was_gained():
    assert TEST_ACCURACY.margin(0.005, 0.9, 0.1) == 0.005
    assert LOSS.margin(0.005, LOSS.score(2.0), LOSS.score(4.0)) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{name: test_loss, mode: max}", "mode: max contradicts name: test_loss, of which the smaller is better"),
        ("{mode: min}", "mode: min contradicts name: test_acc, of which the larger is better; leave 'mode' out"),
        ("{name: test_los}", "metric.name: 'test_los' is unknown; did you mean 'test_loss'?"),
        ("{name: test_loss, mode: least}", "metric.mode: 'least' is unknown"),
        ("test_loss", "it must be a section {name: test_acc | test_loss, …}"),
    ],
)
def test_what_contradicts_is_refused_in_one_paragraph(digits_text, section, said):
    with pytest.raises(InputError) as caught:
        load_grid(digits_text, "digits.yaml", [f"metric={section}"])
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_only_where_it_stops_points_the_metric_is_part_of_what_a_point_is(digits):
    def ids(*settings):
        return [point.id for point in make_points(digits(*settings))]

    loss, peaked = "metric={name: test_loss}", "stop=peaked"
    assert ids() == ids(loss)
    assert ids(peaked) != ids(loss, peaked)
    new = digits(loss)
    assert conflicts(digits(), new, make_points(new)) == []
    new = digits(loss, peaked)
    assert conflicts(digits(peaked), new, make_points(new)) == [
        "metric.name: test_acc → test_loss",
        "metric.mode: max → min",
    ]
