"""Durable state of an attempt: its parts and checkpoints, and the order in which they are written and deleted.

The order makes commits safe whenever this process dies or sleeps: see docs/durability.md.
"""

from collections.abc import Collection

import pyarrow as pa

from results.store.attempts import claim_next, refuse_if_overtaken
from results.store.commits import Commit
from results.store.parts import all_parts_in, compact, remove_parts, write_part
from sweeper.worker.attempt import Attempt
from sweeper.worker.checkpoints import Checkpoint, checkpoint_files, save_checkpoint


class CommitLog:
    """Parts and checkpoints of one attempt at a pack.

    Each write asks first whether a later attempt has begun, and raises ``OvertakenError`` if so. Each action is retried
    while storage refuses, and raises ``StorageRefusedError`` when the limits of the grid are reached.

    Attributes:
        attempt_number: number under which parts are written now; compaction takes the next one.
    """

    def __init__(self, attempt: Attempt) -> None:
        """Continue after the parts that ``attempt`` builds on."""
        self.attempt_number = attempt.number
        self._attempt, self._directory, self._pack = attempt, attempt.directory, attempt.pack.id
        self._max_checkpoint_bytes = attempt.grid.recovery.checkpoint_bytes
        self._parts, self._parts_built_on = list(attempt.restart.names), len(attempt.restart.names)
        self._checkpoints: tuple[str, ...] = ()  # the two latest
        self._finished = False
        self._has_stale_parts = False  # whether parts of earlier attempts, after those built on, are still there

    @property
    def part_count(self) -> int:
        """Number of parts of the pack that count."""
        return len(self._parts)

    def save_checkpoint(self, checkpoint: Checkpoint) -> str | None:
        """Write a checkpoint, which counts once a commit names it.

        Returns:
            The name of its file; None if there is no room for it on the disk or in memory.
        """

        def save() -> str | None:
            self._refuse_if_overtaken()
            return save_checkpoint(self._directory, self._pack, checkpoint, self._max_checkpoint_bytes)

        return self._attempt.retry(save)

    def append(self, rows: pa.Table, commit: Commit) -> None:
        """Write one more part: this is the commit."""

        def write() -> None:
            self._refuse_if_overtaken()
            name = write_part(self._directory, self._pack, self.attempt_number, self._parts, rows, commit)
            self._has_stale_parts = self.attempt_number > 0 and len(self._parts) == self._parts_built_on
            self._parts.append(name)
            self._finished = commit.finished
            if commit.checkpoint is not None:
                self._checkpoints = (*self._checkpoints[-1:], commit.checkpoint)

        self._attempt.retry(write)

    def compact(self, commit: Commit, keep: Collection[str]) -> None:
        """Merge the parts into one, under the number of a new attempt.

        Args:
            commit: what the new part says, except for the ends.
            keep: ids of the points whose rows and ends stay.
        """

        def merge() -> None:
            self.attempt_number = claim_next(self._directory, self._pack, self.attempt_number)
            schema = self._attempt.schema
            part = compact(self._directory, self._parts, self.attempt_number, schema, keep=keep, commit=commit)
            self._parts, self._has_stale_parts = [part], True
            self._checkpoints = (commit.checkpoint,) if commit.checkpoint is not None else ()

        self._attempt.retry(merge)

    def clean_up(self) -> None:
        """Delete what the last commit has replaced; the checkpoint before the latest stays, in case the disk lies.

        What goes is listed before asking whether this attempt still has the pack. So nothing of a later one, or that a
        later one may build on, is ever in the list, however long this process sleeps in between. If the disk has lost a
        part of this attempt, the parts of others may be what counts, and stay.
        """

        def delete() -> None:
            keep = () if self._finished else self._checkpoints
            checkpoints = checkpoint_files(self._directory, self._pack) if keep or self._finished else []
            parts = set(all_parts_in(self._directory, self._pack)) if self._has_stale_parts else set()
            stale_parts = parts - set(self._parts) if parts.issuperset(self._parts) else ()
            self._refuse_if_overtaken()
            for path in checkpoints:
                if path.name not in keep:
                    path.unlink(missing_ok=True)
            remove_parts(self._directory, stale_parts)
            self._has_stale_parts = False

        self._attempt.retry(delete)

    def _refuse_if_overtaken(self) -> None:
        refuse_if_overtaken(self._directory, self._pack, self.attempt_number)
