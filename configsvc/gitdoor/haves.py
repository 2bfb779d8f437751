"""What pushers are told of main's past: `.have` lines, as those of alternates (gitprotocol-pack(5)).

A client leaves out of its pack what can be reached from an id that the server
named and it has itself.  receive-pack names the tips of refs alone: who is
behind a main that moved on has none of them, and would send the whole history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from configsvc.gitdoor.report import packet, packets
from configsvc.store.base import Snapshot

_DENSE = 64
_FLUSH = b"0000"


def have_lines(snapshot: Snapshot) -> bytes:
    """Return lines that name commits of main before its newest one, ever fewer the older they are."""
    ids = (snapshot.record(revision).commit_id for revision in named_revisions(snapshot.revision))
    return b"".join(packet(f"{commit_id} .have\n".encode("ascii")) for commit_id in ids)


def named_revisions(newest: int) -> Iterator[int]:
    """Yield revisions before `newest`, from new to old.

    Each of the last 64, and then steps of a 64th part of the distance: from wherever a
    client is, what it sends too much of is small beside how far it is behind.
    """
    distance = 1
    while distance < newest:
        yield newest - distance
        distance += max(1, distance // _DENSE)


def with_lines(chunks: Iterable[bytes], lines: bytes) -> Iterator[bytes]:
    """Yield an advertisement with lines more before the flush that ends it; one without that, as it comes."""
    for each in packets(chunks):
        if each == _FLUSH:
            yield lines
        yield each
