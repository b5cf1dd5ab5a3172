from search_spaces.outcome import Outcome


def test_outcomes_are_the_words_of_the_table():
    assert [str(outcome) for outcome in Outcome] == ["completed", "diverged", "stopped", "failed"]
