"""The decision asked again, of the very state that a write lands on.

Between the request and its landing another commit may take the right away.  A plan that asks here
reads the principal's file through its view, so the store makes it again when that file has changed.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Protocol

from configsvc.access.decide import Action, Admission, forbidden, hidden
from configsvc.core.errors import DocumentInvalid, Forbidden, NotFound, Unauthorized
from configsvc.core.names import PRINCIPALS_FOLDER, principal_path
from configsvc.core.principals import ANYONE, Principal, Role
from configsvc.documents.principals import parse_principal


class PrincipalFiles(Protocol):
    """What has to be known of a state; a `View` knows it."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there is none."""

    def names(self, folder: str) -> Collection[str]:
        """Return the names in a folder; empty when there is none."""


def require_at(view: PrincipalFiles, admission: Admission, action: Action, path: str) -> None:
    """Raise unless what was admitted may still do `action` on `path` in `view`.

    Raises:
        Unauthorized: The principal or its token is gone, or there are principals where there were none.
        NotFound, Forbidden: See `Access.require`.
    """
    if admission.principal.name == ANYONE.name:
        if view.names(PRINCIPALS_FOLDER):
            raise Unauthorized("credential: none (expected: one, since there are principals now)")
        return
    principal = _principal(view, admission.principal.name)
    tokens = () if principal is None else principal.tokens
    if principal is None or (
        admission.token_sha256 and all(token.sha256 != admission.token_sha256 for token in tokens)
    ):
        raise Unauthorized("credential: was revoked (expected: a token of a principal)")
    rank = principal.role_on(path) or 0
    if rank < Role.READER:
        raise hidden(path)
    if rank < action.value:
        raise forbidden(principal, action, path)


def may_at(view: PrincipalFiles, admission: Admission, action: Action, path: str) -> bool:
    """Return whether `require_at` allows it."""
    try:
        require_at(view, admission, action, path)
    except (Unauthorized, NotFound, Forbidden):
        return False
    return True


def _principal(view: PrincipalFiles, name: str) -> Principal | None:
    data = view.read(principal_path(name))
    return None if data is None else _parsed(name, data)


@lru_cache(maxsize=256)
def _parsed(name: str, data: bytes) -> Principal | None:
    try:
        return parse_principal(name, data)
    except DocumentInvalid:
        return None
