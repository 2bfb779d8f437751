"""The words of a push: what it wants, who wants it, and a commit as its bytes say it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from configsvc.core.changes import Author
from configsvc.core.errors import PushRefused
from configsvc.core.reports import Violation
from configsvc.core.trees import PathChange
from configsvc.store.steptree import StepTree

LANDING_REF = "refs/for/main"
NO_OBJECT = "0" * 40

_SHOWN_VIOLATIONS = 50
_HEADERS = re.compile(
    rb"tree (?P<tree>[0-9a-f]{40})\n(?P<parents>(?:parent [0-9a-f]{40}\n)*)"
    rb"author (?P<author>[^\n]*)\n"
    rb"committer [^\n<]*<(?P<committer>[^>\n]*)> (?P<time>[0-9]{1,18}) [-+][0-9]{4}\n"
)


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """A ref that a push wants to move; `NO_OBJECT` stands for nothing."""

    old: str
    new: str
    ref: str

    @property
    def is_deletion(self) -> bool:
        """Whether the ref is to go."""
        return self.new == NO_OBJECT

    @property
    def is_creation(self) -> bool:
        """Whether the ref is not there yet."""
        return self.old == NO_OBJECT


@dataclass(frozen=True)
class Pusher:
    """Who pushes, and what the one decision function says to it.

    Args:
        refused: Returns the changes that may not be made by the rules of the
            tree that they start from.
        may_replace: Whether a proposal of the named owner (None: nobody knows)
            may be forced or deleted.
    """

    author: Author
    refused: Callable[[Sequence[PathChange], StepTree], Iterable[Violation]]
    may_replace: Callable[[str | None], bool]


@dataclass(frozen=True, slots=True)
class CommitHead:
    """What a commit object says of itself; times in seconds since the epoch."""

    tree: bytes
    parents: tuple[bytes, ...]
    author: str
    committer_email: str
    committed_at: int
    subject: str


def parse_commit(identity: bytes, content: bytes) -> CommitHead:
    """Return what a commit's bytes say.

    Raises:
        PushRefused: They are not what git writes.
    """
    match = _HEADERS.match(content)
    if match is None or b"\0" in content:
        raise PushRefused(f"commit {identity.hex()[:12]}: malformed (expected: as git writes one)")
    message = content.partition(b"\n\n")[2].lstrip(b"\n")
    return CommitHead(
        tree=bytes.fromhex(match["tree"].decode()),
        parents=tuple(bytes.fromhex(line[7:].decode()) for line in match["parents"].splitlines()),
        author=match["author"].decode("utf-8", "replace"),
        committer_email=match["committer"].decode("utf-8", "replace"),
        committed_at=int(match["time"]),
        subject=message.partition(b"\n")[0].decode("utf-8", "replace"),
    )


def refusal(summary: str, violations: Sequence[Violation]) -> PushRefused:
    """Return the error that tells what is wrong with a push, a line each."""
    lines = [str(violation) for violation in violations[:_SHOWN_VIOLATIONS]]
    if len(violations) > _SHOWN_VIOLATIONS:
        lines.append(f"... and {len(violations) - _SHOWN_VIOLATIONS} more")
    return PushRefused("\n".join([*lines, summary]), details=[each.as_json() for each in violations])
