"""What must hold of all principals together: somebody can administer, and no credential is two people's.

Judged on the tree that a change of a principal leads to, so a repository that has
principals cannot come to be without an admin, by whichever door.  The text of a file is searched
before it is parsed: with 10,000 principals the one costs milliseconds, the other seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import PRINCIPALS_FOLDER, RESERVED_PRINCIPALS
from configsvc.core.principals import Principal
from configsvc.core.reports import Violation
from configsvc.documents.principals import parse_principal

_EXTENSION = ".yaml"


class PrincipalFiles(Protocol):
    """The tree that the changes lead to."""

    def names(self, folder: str) -> Collection[str]:
        """Return the names in a folder; empty when there is none."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`."""


def principal_name(path: str) -> str:
    """Return whose file is at a path of `Kind.PRINCIPAL`."""
    return path.removeprefix(f"{PRINCIPALS_FOLDER}/").removesuffix(_EXTENSION)


def principal_violations(
    changed: Collection[str], files: PrincipalFiles, *, now_s: float
) -> Iterator[Violation]:
    """Yield what the principals of a tree break together.

    Args:
        changed: Paths of the principals' files that were changed or removed; what is
            still there of them parses.
        now_s: When tokens must not have expired yet, seconds since the epoch.
    """
    names = sorted(name for name in files.names(PRINCIPALS_FOLDER) if name.endswith(_EXTENSION))
    texts = {path: files.read(path) or b"" for path in (f"{PRINCIPALS_FOLDER}/{name}" for name in names)}
    mine = [parse_principal(principal_name(path), texts[path]) for path in changed if path in texts]
    for principal in mine:
        yield from _own_violations(principal, texts)
    if not any(_is_admin(path, text, now_s) for path, text in texts.items()):
        yield Violation(
            min(changed),
            "principals: nobody would be left with the role admin on ** and a token that has not expired "
            "(expected: at least one)",
        )


def _own_violations(principal: Principal, texts: dict[str, bytes]) -> Iterator[Violation]:
    path = f"{PRINCIPALS_FOLDER}/{principal.name}{_EXTENSION}"
    if principal.name in RESERVED_PRINCIPALS:
        yield Violation(path, f"name: {principal.name} is the server's own (expected: another one)")
    for place, token in enumerate(principal.tokens):
        for other in _others(principal, token.sha256, texts):
            if any(each.sha256 == token.sha256 for each in other.tokens):
                message = f"token: is one of {other.name} too (expected: a token of its own)"
                yield Violation(path, message, f"/tokens/{place}")
    for other in _others(principal, principal.unix_user, texts):
        if other.unix_user == principal.unix_user:
            message = f"unix_user: {principal.unix_user} is {other.name} too (expected: one of them)"
            yield Violation(path, message, "/unix_user")


def _others(principal: Principal, word: str, texts: dict[str, bytes]) -> Iterator[Principal]:
    """Yield the other principals in whose file `word` stands somewhere."""
    mark = word.encode()
    for path, text in texts.items():
        if mark and mark in text and principal_name(path) != principal.name:
            other = _find_principal(path, text)
            if other is not None:
                yield other


def _is_admin(path: str, text: bytes, now_s: float) -> bool:
    if b"admin" not in text:
        return False
    principal = _find_principal(path, text)
    return principal is not None and principal.is_admin(now_s=now_s)


def _find_principal(path: str, text: bytes) -> Principal | None:
    try:
        return parse_principal(principal_name(path), text)
    except DocumentInvalid:
        return None  # from before the gate: it lets nobody in
