"""Names of parts. The names alone tell which parts count. See docs/durability.md.

A part is written once. Its name says to which pack it belongs and what it contains:

    PACK-ATTEMPT-SEQUENCE-PARENT-DIGEST.parquet

Each part names its parent, the part that it was built on. So the names alone tell which parts count (``valid_parts``),
whoever else still writes, and nothing must be deleted in time.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

DIGEST_LENGTH = 12  # hexadecimal digits of SHA-256: 48 bits find every flip of a bit, they need not withstand forgery
NO_PARENT = "0" * DIGEST_LENGTH  # what the first part of a pack was built on
_HEX = rf"([0-9a-f]{{{DIGEST_LENGTH}}})"
_NAME = re.compile(rf"([0-9a-z]+)-(\d{{3,}})-(\d{{5,}})-{_HEX}-{_HEX}\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PartName:
    """The name of a part.

    Attributes:
        pack: id of the pack.
        attempt: number of the attempt that wrote it, from 0; no two attempts at a pack share a number.
        sequence: position among the parts of the pack, from 0.
        parent_digest: digest of the part that it was built on.
        digest: of the content of the file.
    """

    pack: str
    attempt: int
    sequence: int
    parent_digest: str
    digest: str

    @property
    def file(self) -> str:
        """The file name."""
        return f"{self.pack}-{self.attempt:03d}-{self.sequence:05d}-{self.parent_digest}-{self.digest}.parquet"


def parse_name(file: str) -> PartName | None:
    """Parse a file name; return None if it is not the name of a part."""
    if not (match := _NAME.fullmatch(file)):
        return None
    pack, attempt, sequence, parent, digest = match.groups()
    name = PartName(pack=pack, attempt=int(attempt), sequence=int(sequence), parent_digest=parent, digest=digest)
    return name if name.file == file else None  # 0000 and ٠٠٠ are numbers too, but not as we write them


def digest_of(content: bytes) -> str:
    """Return the digest that a file with this content has in its name."""
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]


def valid_parts(names: Iterable[PartName]) -> list[PartName]:
    """Select the parts that count, in the order of pack and sequence.

    Each part names its parent. Of all chains that reach back to the start of the pack, the chain of the latest attempt
    counts. So parts of two histories never count together, whoever writes late and whatever is missing.
    """
    return [name for _, chain, _ in _chains(names) for name in chain]


def missing_parts(names: Iterable[PartName]) -> list[tuple[str, int]]:
    """Return pack and sequence of each part that is missing before others, which therefore do not count."""
    return [(pack, missing) for pack, _, missing in _chains(names) if missing is not None]


def _chains(names: Iterable[PartName]) -> Iterator[tuple[str, list[PartName], int | None]]:
    """Each pack with its parts that count, and the sequence of the part that is missing after them, if one is."""
    by_pack: defaultdict[str, list[PartName]] = defaultdict(list)
    for name in names:
        by_pack[name.pack].append(name)
    for pack, own in sorted(by_pack.items()):
        if len(own) == 1 and own[0].sequence == 0:  # mostly, once the packs are done
            yield pack, own, None
            continue
        known = {(name.sequence, name.digest): name for name in sorted(own)}
        missing = None
        for last in sorted(own, reverse=True):
            chain = _chain(last, known)
            if chain[0].sequence == 0:
                yield pack, chain, missing
                break
            missing = chain[0].sequence - 1 if missing is None else missing
        else:
            yield pack, [], missing


def _chain(last: PartName, known: Mapping[tuple[int, str], PartName]) -> list[PartName]:
    """The chain that ends with ``last``, as far back as parents are ``known``."""
    chain = [last]
    while parent := known.get((chain[-1].sequence - 1, chain[-1].parent_digest)):
        chain.append(parent)
    return chain[::-1]
