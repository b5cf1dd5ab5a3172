"""Numbers of attempts: given once, and a later one takes over."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests_support import commit_rows, rows_table

from results.store.attempts import OvertakenError, claim, claim_all, claim_next, packs_begun, refuse_if_overtaken
from results.store.parts import all_parts_in
from results.store.sweep_dir import SweepDir


@pytest.fixture
def sweep(tmp_path):
    return SweepDir(tmp_path / "demo")


def test_no_two_attempts_share_a_number(sweep):
    commit_rows(sweep, rows_table(), attempt=3)
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: claim(sweep, "k1"), range(40)))
    assert sorted(numbers) == list(range(4, 44))
    assert claim(sweep, "k2") == 0
    assert packs_begun(sweep) == {"k1", "k2"}


def test_of_those_that_take_a_pack_for_new_one_has_number_0(sweep):
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: claim(sweep, "k1", new=True), range(40)))
    assert sorted(numbers) == list(range(40))
    commit_rows(sweep, rows_table(), attempt=50)
    assert claim(sweep, "k1", new=True) == 51


def test_an_attempt_is_overtaken_by_the_next(sweep):
    first = claim(sweep, "k1")
    refuse_if_overtaken(sweep, "k1", first)
    claim(sweep, "k2")
    refuse_if_overtaken(sweep, "k1", first)
    second = claim(sweep, "k1")
    refuse_if_overtaken(sweep, "k1", second)
    claim(sweep, "k1")
    for _ in range(2):
        with pytest.raises(OvertakenError, match="pack k1: attempt 0 has been taken over from"):
            refuse_if_overtaken(sweep, "k1", first)
        with pytest.raises(OvertakenError):
            claim_next(sweep, "k1", first)
    assert claim_next(sweep, "k1", second + 1) == 3
    refuse_if_overtaken(sweep, "k1", 3)


def test_of_many_that_go_on_from_one_number_one_gets_the_next(sweep):
    def next_one(_):
        try:
            return claim_next(sweep, "k1", first)
        except OvertakenError:
            return None

    first = claim(sweep, "k1")
    with ThreadPoolExecutor(8) as pool:
        assert sorted(filter(None, pool.map(next_one, range(40)))) == [first + 1]


def test_numbers_go_on_beyond_three_digits(sweep):
    sweep.attempts.mkdir(parents=True)
    (sweep.attempts / "k1-999").touch()
    assert claim(sweep, "k1") == 1000
    name = commit_rows(sweep, rows_table(), attempt=1000)
    assert all_parts_in(sweep) == [name]
    assert claim(sweep, "k1") == 1001


def test_all_that_are_claimed_together_are_overtaken(sweep):
    first = claim(sweep, "k1")
    claim_all(sweep, ["k1", "k2"])
    with pytest.raises(OvertakenError):
        refuse_if_overtaken(sweep, "k1", first)
    assert (claim(sweep, "k1"), claim(sweep, "k2")) == (2, 1)
