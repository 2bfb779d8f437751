"""The words of a push: what it wants, who wants it, and a commit as its bytes say it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


_REPEATED = re.compile(rb"^(tree|parent|author|committer) ", re.MULTILINE)
_ENCODING = re.compile(rb"^encoding ([^\n]*)", re.MULTILINE)
# Those that leave ASCII as it is: in UTF-7 the bytes of a name say one thing, and git shows another.
_PLAIN_ENCODING = re.compile(
    rb"utf-?8|(us-)?ascii|(iso-?)?8859-?[0-9]{1,2}|latin-?[0-9]{1,2}|(cp|windows-?)125[0-8]|koi8-[ru]",
    re.IGNORECASE,
)


class RefUpdate(NamedTuple):
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


class RefRights(NamedTuple):
    """What somebody may do to branches other than main, and to tags.

    Args:
        may_propose: Push branches, and force or delete those of its own.
        may_tag: Make tags.
        is_admin: Force and delete branches of others, delete tags, and have as many of both as there may be.
    """

    may_propose: bool
    may_tag: bool
    is_admin: bool


EVERY_REF = RefRights(may_propose=True, may_tag=True, is_admin=True)


@dataclass(frozen=True)
class Pusher:
    """Who pushes, and what the one decision function says to it.

    Args:
        refused: Returns the changes that may not be made by the rules of the
            tree that they start from.
        rights: What it may do to branches and tags.
    """

    author: Author
    refused: Callable[[Sequence[PathChange], StepTree], Iterable[Violation]]
    rights: RefRights


class CommitHead(NamedTuple):
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
    _check_rest(identity, content[match.end() - 1 :].partition(b"\n\n")[0])
    message = content.partition(b"\n\n")[2].lstrip(b"\n")
    return CommitHead(
        tree=bytes.fromhex(match["tree"].decode()),
        parents=tuple(bytes.fromhex(line[7:].decode()) for line in match["parents"].splitlines()),
        author=match["author"].decode("utf-8", "replace"),
        committer_email=match["committer"].decode("utf-8", "replace"),
        committed_at=int(match["time"]),
        subject=message.partition(b"\n")[0].decode("utf-8", "replace"),
    )


def _check_rest(identity: bytes, headers: bytes) -> None:
    """Raise for headers after the committer by which git would show other people than were judged.

    Of several lines of one name git takes the last, and it converts all names from the encoding.
    """
    repeated = _REPEATED.search(headers)
    if repeated is not None:
        raise PushRefused(
            f"commit {identity.hex()[:12]}: a second {repeated[1].decode()} line (expected: one of each)"
        )
    encodings = _ENCODING.findall(headers)
    if len(encodings) > 1 or not all(map(_PLAIN_ENCODING.fullmatch, encodings)):
        shown = ascii(encodings[0][:40].decode("latin-1"))
        raise PushRefused(f"commit {identity.hex()[:12]}: encoding {shown} (expected: none, or UTF-8)")


def refusal(summary: str, violations: Sequence[Violation]) -> PushRefused:
    """Return the error that tells what is wrong with a push, a line each."""
    lines = [str(violation) for violation in violations[:_SHOWN_VIOLATIONS]]
    if len(violations) > _SHOWN_VIOLATIONS:
        lines.append(f"... and {len(violations) - _SHOWN_VIOLATIONS} more")
    return PushRefused("\n".join([*lines, summary]), details=[each.as_json() for each in violations])
