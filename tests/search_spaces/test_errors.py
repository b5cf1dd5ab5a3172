import pytest

from search_spaces.errors import suggest


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        pytest.param("widht", ["width", "depth"], "did you mean 'width'? (known: depth, width)", id="typo"),
        pytest.param("SGD", ["sgd", "adamw"], "did you mean 'sgd'? (known: adamw, sgd)", id="upper-case"),
        pytest.param("lr", ["eta", "lam"], "did you mean 'eta'? (known: eta, lam)", id="other-libraries-word"),
        pytest.param("weight_decay", ["eta", "lam"], "did you mean 'lam'? (known: eta, lam)", id="weight-decay"),
        pytest.param("lr", ["width"], "known: width", id="synonym-of-an-unknown-word"),
        pytest.param("zebra", ["eta", "lam"], "known: eta, lam", id="nothing-near"),
        pytest.param("", ["eta"], "known: eta", id="empty"),
    ],
)
def test_suggest(word, known, expected):
    assert suggest(word, known) == expected


def test_a_huge_word_costs_nothing():
    assert suggest("x" * 1_000_000, ["x" * 90, "eta"]).startswith("known: eta")
