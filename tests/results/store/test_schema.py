from pathlib import Path

import pyarrow as pa

from results.store.schema import COLUMNS, SCHEMA_VERSION, VERSION_KEY, row_schema

# Tables outlive the code. Another type or meaning of a column is a new SCHEMA_VERSION and a line in the documentation;
# a further column is not, since parts without it are read as having none.
SNAPSHOT = [
    ("sweep", "string", ""),
    ("point", "string", ""),
    ("pack", "string", ""),
    ("attempt", "int32", ""),
    ("seed", "int64", ""),
    ("eta", "double", ""),
    ("lam", "double", ""),
    ("mu", "double", ""),
    ("budget", "double", "epochs"),
    ("step", "int64", "steps"),
    ("epoch", "double", "epochs"),
    ("decay_time", "double", ""),
    ("eta_t", "double", ""),
    ("lam_t", "double", ""),
    ("train_acc", "float", ""),
    ("test_acc", "float", ""),
    ("train_loss", "float", ""),
    ("test_loss", "float", ""),
    ("weight_norm", "float", ""),
    ("eta_eff", "double", ""),
    ("seconds", "double", "s"),
]


def test_names_types_and_units():
    assert [(c.name, str(c.type), c.unit) for c in COLUMNS] == SNAPSHOT
    assert SCHEMA_VERSION == 1


def test_every_column_says_what_it_means():
    assert all(len(c.meaning) > 5 for c in COLUMNS)
    assert len({c.meaning for c in COLUMNS}) == len(COLUMNS)


def test_the_version_is_in_the_file():
    assert row_schema().metadata == {VERSION_KEY: b"1"}


def test_further_axes_come_last_in_their_order():
    schema = row_schema({"model.width": pa.int64(), "loss.scale": pa.string()})
    assert schema.names == [c.name for c in COLUMNS] + ["model.width", "loss.scale"]
    assert schema.field("loss.scale").type == pa.string()
    assert schema.metadata == row_schema().metadata


def test_every_column_is_documented_in_its_words():
    page = (Path(__file__).parents[3] / "docs" / "table.md").read_text(encoding="utf-8")
    for column in COLUMNS:
        assert f"| `{column.name}` | {column.unit} | {column.meaning} |" in page
