"""Principals made, their tokens rotated and revoked: one commit each, the same for every door.

What comes in is the hash of a token; its text never leaves the command that made it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import NamedTuple

from configsvc.core.changes import Author, Outcome, Plan, commit_message
from configsvc.core.errors import DocumentInvalid, PrincipalExists, PrincipalNotFound, PrincipalsConflict
from configsvc.core.names import PRINCIPALS_FOLDER, parse_principal_name, principal_path
from configsvc.core.principals import Principal, Token, format_time, with_token
from configsvc.core.tags import ALWAYS, Precondition, file_tag_of
from configsvc.documents.principals import MAX_TOKENS, parse_principal, write_principal
from configsvc.store.base import ConfigStore, Snapshot, View, Write
from configsvc.validation.principals import principal_violations

WRITE_TIMEOUT_S = 60.0
MIN_TOKEN_ID_CHARS = 8
"""How much of a token's hash names it."""
TAG_KIND = "principal"

Land = Callable[[Callable[[View], Plan]], Outcome]
"""Lands what a plan makes, and returns what came of it."""


def land_on(store: ConfigStore, author: Author) -> Land:
    """Return what lands plans on `store` as `author`, who may do so."""
    return lambda plan: store.submit(Write(plan, author)).result(WRITE_TIMEOUT_S)


class PrincipalBook:
    """The principals of a repository, changed by whoever administers it.

    Args:
        land: Lands each change.
        precondition: What has to hold of the file of the principal that is changed.
        now: The wall clock, seconds since the epoch.
    """

    def __init__(
        self, land: Land, *, precondition: Precondition = ALWAYS, now: Callable[[], float] = time.time
    ) -> None:
        self._land = land
        self._precondition = precondition
        self._now = now

    def create(self, principal: Principal) -> Outcome:
        """Add a principal.

        Raises:
            NameInvalid: No principal may have that name.
            PrincipalExists: There is one of that name.
            PrincipalsConflict: See `_Files.check`.
        """
        path = principal_path(parse_principal_name(principal.name))

        def plan(view: View) -> Plan:
            self._check(view, principal.name)
            if view.read(path) is not None:
                raise PrincipalExists(f"principal: {principal.name} exists already (expected: a new name)")
            return self._plan(view, path, write_principal(principal), f"Create principal {principal.name}")

        return self._land(plan)

    def rotate(self, name: str, token: Token, *, overlap_s: float) -> Outcome:
        """Give a principal a new token; those it has are refused after `overlap_s` seconds.

        Raises:
            PrincipalNotFound: There is none of that name.
            DocumentInvalid: Its file is not valid.
            PrincipalsConflict: See `_Files.check`; or it has that token, or `MAX_TOKENS` others.
        """

        def change(principal: Principal) -> Principal:
            end = format_time(self._now() + overlap_s)
            ended = tuple(replace(each, expires=min(each.expires or end, end)) for each in principal.tokens)
            changed = with_token(replace(principal, tokens=ended), token, now_s=self._now())
            _check_tokens(changed)
            return changed

        return self._change(name, change, f"Rotate the token of {name}")

    def revoke_token(self, name: str, token_id: str) -> Outcome:
        """Take one token away from a principal.

        Args:
            token_id: The start of the hash of one of its tokens, `MIN_TOKEN_ID_CHARS` or more.

        Raises:
            PrincipalNotFound: There is no such principal, or it has no such token.
            DocumentInvalid: Its file is not valid.
            PrincipalsConflict: See `_Files.check`.
        """

        def change(principal: Principal) -> Principal:
            kept = tuple(token for token in principal.tokens if not token.sha256.startswith(token_id))
            if len(token_id) < MIN_TOKEN_ID_CHARS or len(kept) != len(principal.tokens) - 1:
                raise PrincipalNotFound(
                    f"token: {token_id[:80]!a} is none of {name} (expected: the id of one, as listed)"
                )
            return replace(principal, tokens=kept)

        return self._change(name, change, f"Revoke a token of {name}")

    def revoke(self, name: str) -> Outcome:
        """Remove a principal with all its tokens.

        Raises:
            PrincipalNotFound: There is none of that name.
            PrincipalsConflict: See `_Files.check`.
        """
        path = principal_path(parse_principal_name(name))

        def plan(view: View) -> Plan:
            self._check(view, name)
            _read(view, name)
            return self._plan(view, path, None, f"Revoke principal {name}")

        return self._land(plan)

    def _change(self, name: str, change: Callable[[Principal], Principal], subject: str) -> Outcome:
        path = principal_path(parse_principal_name(name))

        def plan(view: View) -> Plan:
            self._check(view, name)
            data = _read(view, name)
            changed = change(parse_principal(name, data))
            return self._plan(view, path, write_principal(changed, data), subject)

        return self._land(plan)

    def _check(self, view: View, name: str) -> None:
        blob_id = view.identity(principal_path(name))
        self._precondition.check(
            f"principal {name}", None if blob_id is None else file_tag_of(TAG_KIND, blob_id)
        )

    def _plan(self, view: View, path: str, data: bytes | None, subject: str) -> Plan:
        _Files(view, path, data).check(now_s=self._now())
        return Plan({path: data}, commit_message(subject))


def principal_names(snapshot: Snapshot) -> list[str]:
    """Return the names of all principals, sorted."""
    files = snapshot.folder_files(PRINCIPALS_FOLDER)
    return sorted(file.removesuffix(".yaml") for file in files if file.endswith(".yaml"))


def find_principal(snapshot: Snapshot, name: str) -> Principal | DocumentInvalid:
    """Return a principal; when its file is not valid, why it is not.

    Raises:
        PrincipalNotFound: There is none of that name.
    """
    try:
        return parse_principal(name, _read(snapshot, name))
    except DocumentInvalid as error:
        return error


def _check_tokens(principal: Principal) -> None:
    """Raise `PrincipalsConflict` when its last token does not go with the others."""
    *others, last = principal.tokens
    if any(other.sha256 == last.sha256 for other in others):
        raise PrincipalsConflict(
            f"token: {last.sha256[:MIN_TOKEN_ID_CHARS]} is one of {principal.name} already "
            "(expected: a new token)"
        )
    if len(principal.tokens) > MAX_TOKENS:
        raise PrincipalsConflict(
            f"tokens: {principal.name} has {len(others)} that have not expired "
            f"(expected: < {MAX_TOKENS}; revoke one, or rotate with a shorter overlap)"
        )


def _read(view: View, name: str) -> bytes:
    data = view.read(principal_path(name))
    if data is None:
        raise PrincipalNotFound(f"principal: {name} does not exist")
    return data


class _Files(NamedTuple):
    """The principals' files with one of them changed."""

    view: View
    path: str
    data: bytes | None

    def names(self, folder: str) -> Collection[str]:
        """Return the names that would be in the folder."""
        name = self.path.removeprefix(f"{PRINCIPALS_FOLDER}/")
        names = set(self.view.names(folder))
        return names - {name} if self.data is None else names | {name}

    def read(self, path: str) -> bytes | None:
        """Return what would be at a path."""
        return self.data if path == self.path else self.view.read(path)

    def check(self, *, now_s: float) -> None:
        """Raise `PrincipalsConflict` for what the principals would break together."""
        violations = list(principal_violations([self.path], self, now_s=now_s))
        if violations:
            message = "; ".join(violation.message for violation in violations)
            raise PrincipalsConflict(message, [violation.as_json() for violation in violations])
