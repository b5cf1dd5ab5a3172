"""Checkpoints: what comes back, what does not, and where a pack goes on."""

import os
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support import commit_rows, point_end, rows_table

from results.store.part_names import digest_of
from results.store.parts import valid_parts_in
from results.store.sweep_dir import SweepDir
from sweeper.worker.checkpoints import (
    NO_CHECKPOINT,
    Checkpoint,
    Restart,
    checkpoint_bytes,
    checkpoint_files,
    load_checkpoint,
    restart_of,
    save_checkpoint,
)

STATE = Checkpoint(
    points=["p1", "p2"],
    step=7,
    together=1,
    seconds=3.25,
    records={"p1": [(0.5, 1e-3), (0.75, 2e-3)], "p2": []},
    training={
        "step": 7,
        "members": [0, 1],
        "rates": {"eta_t": [0.1, float("inf")], "auto_l2": [{"lam": 0.1, "best": None}]},
        "parameters": {"weight": torch.tensor([[1.0, -0.0, float("nan")], [1e-45, 3.4e38, 2.0]])},
        "empty": torch.zeros(0, 3),
    },
)


@pytest.fixture
def sweep(tmp_path):
    return SweepDir(tmp_path / "demo")


def test_a_checkpoint_comes_back_bit_for_bit(sweep):
    back = load_checkpoint(sweep, save_checkpoint(sweep, "k1", STATE))
    for field in fields(Checkpoint):
        if field.name != "training":
            assert getattr(back, field.name) == getattr(STATE, field.name)
    tensors = back.training.pop("parameters")["weight"], STATE.training["parameters"]["weight"]
    assert torch.equal(*(t.view(torch.int32) for t in tensors))
    assert back.training.pop("empty").shape == (0, 3)
    assert back.training == {k: v for k, v in STATE.training.items() if k not in {"parameters", "empty"}}


def test_nothing_under_way_comes_back_too(sweep):
    assert load_checkpoint(sweep, save_checkpoint(sweep, "k1", NO_CHECKPOINT)) == NO_CHECKPOINT


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = SweepDir(tmp_path_factory.mktemp("checkpoints"))
    name = save_checkpoint(directory, "k1", STATE)
    return directory, name, (directory.checkpoints / name).read_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_checkpoint_is_none(saved, data):
    directory, name, content = saved
    changed = bytearray(content)
    if data.draw(st.booleans()):
        changed[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del changed[data.draw(st.integers(0, len(content) - 1)) :]
    (directory.checkpoints / name).write_bytes(changed)
    try:
        assert load_checkpoint(directory, name) is None
    finally:
        (directory.checkpoints / name).write_bytes(content)
    assert load_checkpoint(directory, name) is not None


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nonsense_under_its_right_digest_is_none_or_a_checkpoint(saved, data):
    """What an attacker, or another program, may have put there: never an error, never code that runs."""
    directory, _, content = saved
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    name = f"k1-{digest_of(bytes(changed))}.pt"
    (directory.checkpoints / name).write_bytes(changed)
    assert isinstance(load_checkpoint(directory, name), Checkpoint | None)
    (directory.checkpoints / name).unlink(missing_ok=True)
    save_checkpoint(directory, "k1", STATE)


@pytest.mark.parametrize("name", ["", "absent.pt", "../outside-{digest}.pt", "sub/inside-{digest}.pt", "/{path}"])
def test_names_that_lead_elsewhere_are_none(sweep, name):
    kept = save_checkpoint(sweep, "k1", STATE)
    content = (sweep.checkpoints / kept).read_bytes()
    (sweep.checkpoints / "sub").mkdir()
    name = name.format(digest=digest_of(content), path=sweep.checkpoints / kept)
    for place in (sweep.root / "outside", sweep.checkpoints / "sub" / "inside"):
        place.with_name(f"{place.name}-{digest_of(content)}.pt").write_bytes(content)
    assert load_checkpoint(sweep, name) is None
    assert load_checkpoint(sweep, kept) is not None


class _Runs:
    """Would make a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("where", ["whole", "training", "points", "legacy"])
def test_what_a_checkpoint_contains_never_runs(sweep, tmp_path, where):
    sweep.checkpoints.mkdir(parents=True)
    mark, file = tmp_path / "it-ran", sweep.checkpoints / "k1.pt"
    tampered = _Runs(mark)
    if where not in {"whole", "legacy"}:
        tampered = {f.name: getattr(STATE, f.name) for f in fields(Checkpoint)} | {where: {"x": tampered}}
    torch.save(tampered, file, _use_new_zipfile_serialization=where != "legacy")
    name = f"k1-{digest_of(file.read_bytes())}.pt"
    file.rename(sweep.checkpoints / name)
    assert load_checkpoint(sweep, name) is None
    assert not mark.exists()
    torch.load(sweep.checkpoints / name, weights_only=False)
    assert mark.exists()  # the tampering is real


def test_all_checkpoints_together_keep_to_their_bytes(sweep):
    first = save_checkpoint(sweep, "k1", STATE)
    size = checkpoint_bytes(sweep)
    assert size == (sweep.checkpoints / first).stat().st_size
    assert save_checkpoint(sweep, "k2", STATE, max_bytes=2 * size - 1) is None
    assert len(list(sweep.checkpoints.iterdir())) == 1
    assert save_checkpoint(sweep, "k2", STATE, max_bytes=2 * size) is not None
    assert checkpoint_bytes(sweep) == 2 * size


def test_checkpoints_of_one_pack_and_of_all_are_found(sweep):
    names = [save_checkpoint(sweep, pack, Checkpoint(step=step)) for pack in ("k1", "k11") for step in range(3)]
    (sweep.checkpoints / "mine.pt").touch()
    assert {path.name for path in checkpoint_files(sweep, "k1")} == set(names[:3])
    assert {path.name for path in checkpoint_files(sweep)} == set(names)


# ------------------------------------------------------------------------------------------- where a pack goes on


def committed(sweep, sequence, *ends, **said):
    steps = [2 * sequence + 1, 2 * sequence + 2]
    return commit_rows(sweep, rows_table(["p1", "p2"], steps), *ends, sequence=sequence, **said)


def test_a_pack_goes_on_at_its_last_checkpoint_that_is_whole(sweep):
    names = [save_checkpoint(sweep, "k1", Checkpoint(step=step)) for step in (2, 4, 6)]
    for sequence, name in enumerate(names):
        committed(sweep, sequence, *([point_end("p1")] if sequence == 1 else []), checkpoint=name)
    committed(sweep, 3, point_end("p2"))
    valid = tuple(valid_parts_in(sweep))
    assert restart_of(sweep, "k1") == Restart(
        names=valid[:3], ended=frozenset({"p1"}), steps=4, checkpoint=Checkpoint(step=6)
    )
    path = sweep.checkpoints / names[2]
    path.write_bytes(path.read_bytes()[:-1])
    assert restart_of(sweep, "k1").names == valid[:2]
    assert restart_of(sweep, "k1").checkpoint.step == 4
    (sweep.checkpoints / names[1]).unlink()
    assert restart_of(sweep, "k1") == Restart(names=valid[:1], checkpoint=Checkpoint(step=2))
    (sweep.checkpoints / names[0]).unlink()
    assert restart_of(sweep, "k1") == Restart()


def test_a_pack_that_has_finished_stays_so(sweep):
    committed(sweep, 0, point_end("p1"))
    committed(sweep, 1, point_end("p2"), finished=True)
    restart = restart_of(sweep, "k1")
    assert restart == Restart(names=tuple(valid_parts_in(sweep)), ended=frozenset({"p1", "p2"}), steps=8)


def test_a_pack_without_a_part_starts_at_its_start(sweep):
    assert restart_of(sweep, "k1") == Restart()
