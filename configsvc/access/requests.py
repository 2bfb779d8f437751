"""What is asked of the principals, as plain data: the same over HTTP, through the door and without a server.

{"do": "principals", "act": "create", "name": "deploy-bot", "roles": {"payments/**": "writer"},
 "token": {"sha256": "3f0c..."}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from configsvc.access.administration import (
    MIN_TOKEN_ID_CHARS,
    PrincipalBook,
    find_principal,
    land_on,
    principal_names,
)
from configsvc.core.changes import Author, Outcome
from configsvc.core.errors import DocumentInvalid, RequestInvalid
from configsvc.core.patterns import parse_pattern
from configsvc.core.principals import ROLES, Principal, Token
from configsvc.store.base import ConfigStore, Snapshot

MAX_OVERLAP_S = 400 * 86_400

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
TEXTS = ("description", "email", "unix_user")
"""Members of a principal that are plain texts."""

Answer = Mapping[str, object]


def answer_request(store: ConfigStore, author: Author, request: Mapping[str, object]) -> Answer:
    """Do what a request asks of the principals; return what came of it.

    Raises:
        RequestInvalid: The request is malformed.
        ConfigError: See `PrincipalBook`.
    """
    asked = _text(request, "act")
    if asked == "list":
        snapshot = store.snapshot()
        return {"principals": [shown(snapshot, name) for name in principal_names(snapshot)]}
    change = _CHANGES.get(asked)
    if change is None:
        raise RequestInvalid(f"act: another value (expected: {', '.join(_CHANGES)}, list)")
    outcome = change(PrincipalBook(land_on(store, author)), request)
    return {"revision": outcome.revision, "commit_id": outcome.commit_id}


def create(book: PrincipalBook, request: Mapping[str, object]) -> Outcome:
    """Make the principal that a request describes.

    Raises:
        RequestInvalid: The request is malformed.
        ConfigError: See `PrincipalBook.create`.
    """
    roles = request.get("roles")
    if not isinstance(roles, dict) or not all(str(role) in ROLES for role in roles.values()):
        raise RequestInvalid(f"roles: another value (expected: path patterns to {', '.join(ROLES)})")
    principal = Principal(
        _text(request, "name"),
        tuple((parse_pattern(str(pattern)), ROLES[str(role)]) for pattern, role in roles.items()),
        (_token(request),),
        **{name: _text(request, name) for name in TEXTS},
    )
    return book.create(principal)


def rotate(book: PrincipalBook, request: Mapping[str, object]) -> Outcome:
    """Give the principal that a request names the token that it describes.

    Raises:
        RequestInvalid: The request is malformed.
        ConfigError: See `PrincipalBook.rotate`.
    """
    token, overlap_s = _token(request), _overlap_s(request.get("overlap_s"))
    return book.rotate(_text(request, "name"), token, overlap_s=overlap_s)


def revoke(book: PrincipalBook, request: Mapping[str, object]) -> Outcome:
    """Remove the principal that a request names, or only the token of it that it names.

    Raises:
        RequestInvalid: The request is malformed.
        ConfigError: See `PrincipalBook.revoke` and `PrincipalBook.revoke_token`.
    """
    name, token_id = _text(request, "name"), _text(request, "token_id")
    return book.revoke_token(name, token_id) if token_id else book.revoke(name)


def shown(snapshot: Snapshot, name: str) -> dict[str, object]:
    """Return what is told of a principal; of its tokens no more than what names them.

    Raises:
        PrincipalNotFound: There is none of that name.
    """
    principal = find_principal(snapshot, name)
    if isinstance(principal, DocumentInvalid):
        return {"name": name, "problem": principal.message}
    return {
        "name": name,
        "roles": {str(pattern): str(role) for pattern, role in principal.roles},
        "tokens": [
            {"id": token.sha256[:MIN_TOKEN_ID_CHARS], "created": token.created, "expires": token.expires}
            for token in principal.tokens
        ],
        **{text: getattr(principal, text) for text in TEXTS},
    }


def _overlap_s(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_OVERLAP_S:
        return value
    raise RequestInvalid(f"overlap_s: another value (expected: seconds from 0 to {MAX_OVERLAP_S})")


def _token(request: Mapping[str, object]) -> Token:
    token = request.get("token")
    texts = token if isinstance(token, dict) else {}
    found = Token(_text(texts, "sha256"), _text(texts, "created"), _text(texts, "expires"))
    if not _HASH.fullmatch(found.sha256):
        raise RequestInvalid("token: without sha256 (expected: 64 hex digits)")
    return found


def _text(request: Mapping[str, object], name: str) -> str:
    value = request.get(name, "")
    if not isinstance(value, str):
        raise RequestInvalid(f"{name}: {type(value).__name__} (expected: text)")
    return value


_CHANGES: dict[str, Callable[[PrincipalBook, Mapping[str, object]], Outcome]] = {
    "create": create,
    "rotate": rotate,
    "revoke": revoke,
}
