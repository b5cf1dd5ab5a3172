"""What stands of a chunk when its worker was lost."""

from tests_support import point_end, rows_table

from results.store.commits import Commit
from results.store.ledger import ends_of_chunk, give_up
from results.store.parts import write_part
from results.store.sweep_dir import SweepDir


def test_what_is_left_of_a_turn_is_neither_finished_nor_given_up(tmp_path):
    directory, end = SweepDir(tmp_path / "demo"), point_end("p1")
    begun = write_part(directory, "k1", 0, [], rows_table(), Commit(ends=(end,)))
    write_part(directory, "k2", 0, [], rows_table(pack="k2"), Commit())
    assert ends_of_chunk(directory, ["k1", "k2", "k3"]) == {"k1": None, "k2": None, "k3": None}
    write_part(directory, "k1", 0, [begun], rows_table(steps=(8,)), Commit(finished=True))
    give_up(directory, "k2", "its worker died")
    assert ends_of_chunk(directory, ["k1", "k2", "k3"]) == {"k1": (end,), "k3": None}
