"""Which parts count, by their names alone."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.store.part_names import NO_PARENT, PartName, digest_of, missing_parts, parse_name, valid_parts


def name_of(attempt, sequence, pack="k1", before="", digest=""):
    """Part ``sequence`` of an attempt, built by default on that attempt's own part before."""
    own = f"{attempt:06d}{sequence:06d}"
    return PartName(
        pack=pack,
        attempt=attempt,
        sequence=sequence,
        parent_digest=before or (f"{attempt:06d}{sequence - 1:06d}" if sequence else NO_PARENT),
        digest=digest or own,
    )


def names_of(*written):
    """Parts from (attempt, number) or, where an attempt goes on from another's part, (attempt, number, that one's)."""
    for attempt, sequence, *other in written:
        before = name_of(other[0], sequence - 1).digest if other else ""
        yield name_of(attempt, sequence, before=before)


def counted(*written):
    return [(n.attempt, n.sequence) for n in valid_parts(names_of(*written))]


@given(
    pack=st.text("0123456789abcdefk", min_size=1),
    attempt=st.integers(0, 10**6),
    sequence=st.integers(0, 10**7),
    parent=st.binary(),
    content=st.binary(),
)
def test_names_come_back_from_their_files(pack, attempt, sequence, parent, content):
    digests = {"parent_digest": digest_of(parent), "digest": digest_of(content)}
    name = PartName(pack=pack, attempt=attempt, sequence=sequence, **digests)
    assert parse_name(name.file) == name


@pytest.mark.parametrize(
    "file",
    [
        "zz.parquet",
        "k1-000-00000.parquet",
        "k1-000-00000-0123456789ab.parquet",
        "k1-000-00000-000000000000-0123456789ab.parquet.tmp",
        ".k1-000-00000-000000000000-0123456789ab.parquet",
        "k1-00-00000-000000000000-0123456789ab.parquet",
        "k1-000-00000-000000000000-0123456789AB.parquet",
        "k-1-000-00000-000000000000-0123456789ab.parquet",
        "k1-000-00000-000000000000-0123456789ab.parquet\n",
    ],
)
def test_other_names_are_none(file):
    assert parse_name(file) is None


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ([], []),
        ([(0, 0), (0, 1), (0, 2)], [(0, 0), (0, 1), (0, 2)]),
        ([(0, 0), (0, 2)], [(0, 0)]),
        ([(0, 1), (0, 2)], []),
        ([(0, 0), (0, 1), (0, 2), (1, 1, 0)], [(0, 0), (1, 1)]),
        ([(0, 0), (0, 1), (0, 2), (1, 0)], [(1, 0)]),
        ([(0, 0), (0, 1), (1, 2, 0), (0, 2), (0, 3), (0, 4)], [(0, 0), (0, 1), (1, 2)]),
        ([(0, 0), (0, 1), (1, 2, 0), (1, 3), (2, 1, 0)], [(0, 0), (2, 1)]),
        ([(0, 0), (2, 1, 0), (1, 1, 0), (1, 2), (2, 2)], [(0, 0), (2, 1), (2, 2)]),
        ([(0, 0), (3, 1, 0), (1, 0), (3, 2)], [(0, 0), (3, 1), (3, 2)]),  # 1 commits late: 3 has built on 0
        ([(0, 0), (1, 2)], [(0, 0)]),
        ([(0, 0), (1, 1), (1, 2)], [(0, 0)]),  # 1 began with a part that is missing
        ([(0, 0), (1, 1, 0), (2, 2, 1), (3, 1)], [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_which_parts_count(names, count):
    assert counted(*names) == count
    assert counted(*reversed(names)) == count


def test_which_parts_count_does_not_depend_on_the_order_of_the_folder():
    """Two of one number: a rename that took place, but whose success was not told, so that it was done again."""
    twice = [name_of(0, 1, digest="a" * 12), name_of(0, 1, digest="b" * 12)]
    names = [name_of(0, 0), *twice, name_of(0, 2, before="a" * 12)]
    assert valid_parts(names) == [names[0], twice[0], names[-1]]
    assert len({tuple(valid_parts(order)) for order in itertools.permutations(names)}) == 1


def test_packs_do_not_touch_each_other():
    names = [name_of(0, 0), name_of(3, 0, "k2"), name_of(0, 1), name_of(3, 2, "k2")]
    assert valid_parts(names) == [name_of(0, 0), name_of(0, 1), name_of(3, 0, "k2")]
    assert missing_parts(names) == [("k2", 1)]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_order_of_files_matters(seed):
    random_ = random.Random(seed)
    written = [(random_.randrange(4), random_.randrange(5), random_.randrange(4)) for _ in range(12)]
    names = [name_of(a, s) if s == 0 else name_of(a, s, before=name_of(b, s - 1).digest) for a, s, b in written]
    once = valid_parts(names)
    random_.shuffle(names)
    assert valid_parts(names) == once
    assert valid_parts(once) == once
