"""The one decision: may this principal do that there?

Every door asks it before anything is looked up.  It depends on nothing but the principal, the
action, the path and the principals of the newest revision, so that a change takes effect with
the commit that makes it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from configsvc.access.credentials import parse_authorization, token_hash
from configsvc.access.table import PrincipalTable
from configsvc.core.errors import Forbidden, NotFound, ServiceNotFound, Unauthorized
from configsvc.core.names import PRINCIPALS_FOLDER
from configsvc.core.patterns import EVERYTHING
from configsvc.core.principals import ANYONE, NEVER_S, Principal, Role
from configsvc.store.base import Snapshot


class Action(Enum):
    """What can be asked for; the value is the least role for it.

    WRITE is of a document and of enabled, owner and description; ADMINISTER of schemas, with
    the service or the pattern of those it governs as path, and of principals, with `EVERYTHING`.
    Who clones reads `EVERYTHING`.
    """

    READ = Role.READER
    WRITE = Role.WRITER
    ADMINISTER = Role.ADMIN


class Decision(Enum):
    """What came of asking."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"  # it may be read
    HIDDEN = "hidden"  # it may not even be read: as if it did not exist


class Admission(NamedTuple):
    """A credential that was accepted.

    It holds while `Access.epoch` is `epoch`, until `ends_at_s`; who keeps it longer asks again.

    Args:
        token_sha256: Hash of the token; empty where there are no principals.
        ends_at_s: Seconds since the epoch of Unix; `NEVER_S` for no end.
    """

    principal: Principal
    epoch: int
    ends_at_s: float = NEVER_S
    token_sha256: str = ""

    @property
    def asker(self) -> str | None:
        """On whose behalf what is shared fairly is taken; None where everybody is anyone."""
        return None if self.principal.name == ANYONE.name else self.principal.name


class _Seen(NamedTuple):
    """The newest snapshot that was looked at, and the principals in it."""

    snapshot: Snapshot | None
    folder_id: str | None
    table: PrincipalTable
    epoch: int


class Standing(NamedTuple):
    """What can be told of the principals without looking any up.

    Args:
        epoch: See `Access.epoch`.
        is_open: See `Access.is_open`.
    """

    epoch: int
    is_open: bool


class Access:
    """Decides by the principals of the newest revision.  Thread-safe.

    Args:
        snapshot: Returns the newest revision.
        now: The wall clock, seconds since the epoch.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], *, now: Callable[[], float] = time.time) -> None:
        self._snapshot = snapshot
        self.now_s = now
        self._lock = threading.Lock()  # held while a table is made; `_seen` is swapped in one step
        self._seen = _Seen(None, None, PrincipalTable(None, _no_blob, lambda ids: ()), 0)

    @property
    def epoch(self) -> int:
        """A number that is another one after each commit that touched principals."""
        return self._current().epoch

    @property
    def is_open(self) -> bool:
        """Whether there are no principals, so that everyone may do everything."""
        return self._current().table.is_open

    def peek(self, snapshot: Snapshot) -> Standing | None:
        """Return how things stand at `snapshot`; None, reading nothing, when it was not looked at."""
        seen = self._seen
        return Standing(seen.epoch, seen.table.is_open) if seen.snapshot is snapshot else None

    def refresh(self) -> None:
        """Look at the newest revision, so that `peek` knows it."""
        self._current()

    def authenticate(self, authorization: str | None) -> Principal:
        """Return who asks; see `admit`."""
        return self.admit(authorization).principal

    def admit(self, authorization: str | None) -> Admission:
        """Return who asks, and how long that holds.

        Args:
            authorization: The header of that name; None without one.

        Raises:
            Unauthorized: There are principals, and this carries no token of one that is valid now.
        """
        seen = self._current()
        if seen.table.is_open:
            return Admission(ANYONE, seen.epoch)
        hash_ = token_hash(parse_authorization(authorization))
        found = seen.table.find_token(hash_)
        if found is None:
            raise Unauthorized("credential: not known here (expected: a token of a principal)")
        principal, token = found
        if token.ends_at_s <= self.now_s():
            raise Unauthorized(f"credential: expired at {token.expires} (expected: a token that has not)")
        return Admission(principal, seen.epoch, token.ends_at_s, hash_)

    def is_current(self, admission: Admission) -> bool:
        """Return whether an admission still holds without being asked for again."""
        return admission.epoch == self.epoch and self.now_s() < admission.ends_at_s

    def find_unix_user(self, user: str) -> Principal | None:
        """Return who a user of the server's machine acts as; anyone where there are no principals."""
        table = self._current().table
        return ANYONE if table.is_open else table.find_unix_user(user)

    def decide(self, principal: Principal, action: Action, path: str) -> Decision:
        """Return whether `principal` may do `action` on `path`.

        What counts is what the principal of that name may do now: one that
        was removed meanwhile may do nothing.

        Args:
            path: A service, or a pattern for all that it stands for.
        """
        table = self._current().table
        key = (principal.name, path)
        rank = table.roles.get(key)
        if rank is None:
            now = table.find(principal.name)
            rank = int((now and now.role_on(path)) or 0)
            table.remember(key, rank)
        if rank >= action.value:
            return Decision.ALLOWED
        return Decision.FORBIDDEN if rank >= Role.READER else Decision.HIDDEN

    def may(self, principal: Principal, action: Action, path: str) -> bool:
        """Return whether `decide` allows it."""
        return self.decide(principal, action, path) is Decision.ALLOWED

    def may_somewhere(self, principal: Principal, action: Action) -> bool:
        """Return whether `principal` may do `action` on anything at all."""
        now = self._current().table.find(principal.name)
        return now is not None and any(role >= action.value for _, role in now.roles)

    def require(
        self, principal: Principal, action: Action, path: str, *, owner: Callable[[], str] = str
    ) -> None:
        """Raise unless `principal` may do `action` on `path`.

        Args:
            owner: Asked for who answers for it, once it is clear that the principal may read it.

        Raises:
            NotFound: The principal may not read it, whether it exists or not.
            Forbidden: The principal may read it and no more; the message says who may.
        """
        decision = self.decide(principal, action, path)
        if decision is Decision.HIDDEN:
            raise hidden(path)
        if decision is Decision.FORBIDDEN:
            raise forbidden(principal, action, path, owner())

    def _current(self) -> _Seen:
        snapshot, seen = self._snapshot(), self._seen
        if seen.snapshot is snapshot:
            return seen
        with self._lock:
            seen = self._seen
            if seen.snapshot is None or snapshot.revision > seen.snapshot.revision:
                self._seen = seen = _next(seen, snapshot)
            return seen


def hidden(path: str) -> NotFound:
    """Return the refusal of what one may not read: in the words for what does not exist."""
    if path == EVERYTHING:
        return NotFound("resource: does not exist")
    return ServiceNotFound(f"service: {path!r} does not exist")


def forbidden(principal: Principal, action: Action, path: str, owner: str = "") -> Forbidden:
    """Return the refusal of what one may read and not change; it says who may."""
    place = "the whole repository" if path == EVERYTHING else path
    needed = f"the role {action.value} on {path}"
    asked = f"; its owner is {owner[:100]!a}" if owner else ""
    detail = {"path": path, "role": str(action.value), "principal": principal.name}
    details = [{**detail, "owner": owner} if owner else detail]
    return Forbidden(f"{place}: {principal.name} may not change it (expected: {needed}{asked})", details)


def _next(seen: _Seen, snapshot: Snapshot) -> _Seen:
    folder_id = snapshot.identity(PRINCIPALS_FOLDER)
    if seen.snapshot is not None and folder_id == seen.folder_id:
        return _Seen(snapshot, folder_id, seen.table, seen.epoch)
    # Anything at all in the folder closes the service, a file that is not valid too.
    files = None if folder_id is None else snapshot.folder_files(PRINCIPALS_FOLDER)
    table = PrincipalTable(files, snapshot.blob, snapshot.blobs, before=seen.table)
    return _Seen(snapshot, folder_id, table, seen.epoch + 1)


def _no_blob(blob_id: str) -> bytes:
    raise KeyError(blob_id)
