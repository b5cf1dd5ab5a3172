import pandas as pd
import pytest

from results.figures.row_ids import ShownRows, curve_id, line_id, marks_id, parse_id

ROWS = pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=[4, 7, 8])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (marks_id(ROWS), ShownRows("marks", (4, 7, 8))),
        (curve_id(ROWS), ShownRows("curve", (4,))),
        (line_id(ROWS), ShownRows("line", (4,))),
        (line_id(ROWS, "zero"), ShownRows("line", (4,))),
        ("line2d_12", None),
        ("marks-", None),
        ("", None),
    ],
)
def test_an_id_says_which_rows_are_shown(text, shown):
    assert parse_id(text) == shown
