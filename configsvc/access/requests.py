"""What a command asks of the principals, as plain data: the same through the door and without a server.

{"do": "principals", "act": "create", "name": "deploy-bot", "roles": {"payments/**": "writer"},
 "token": {"sha256": "3f0c..."}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from configsvc.access.administration import PrincipalBook, list_principals
from configsvc.core.changes import Author, Outcome
from configsvc.core.errors import DocumentInvalid, RequestInvalid
from configsvc.core.patterns import parse_pattern
from configsvc.core.principals import ROLES, Principal, Token
from configsvc.store.base import ConfigStore

MAX_OVERLAP_S = 400 * 86_400

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TEXTS = ("description", "email", "unix_user")

Answer = Mapping[str, object]


def answer_request(store: ConfigStore, author: Author, request: Mapping[str, object]) -> Answer:
    """Do what a request asks of the principals; return what came of it.

    Raises:
        RequestInvalid: The request is malformed.
        ConfigError: See `PrincipalBook`.
    """
    act = _ACTS.get(_text(request, "act"))
    if act is None:
        raise RequestInvalid(f"act: another value (expected: {', '.join(_ACTS)})")
    return act(PrincipalBook(store, author), store, request)


def _create(book: PrincipalBook, store: ConfigStore, request: Mapping[str, object]) -> Answer:
    roles = request.get("roles")
    if not isinstance(roles, dict) or not all(str(role) in ROLES for role in roles.values()):
        raise RequestInvalid(f"roles: another value (expected: path patterns to {', '.join(ROLES)})")
    principal = Principal(
        _text(request, "name"),
        tuple((parse_pattern(str(pattern)), ROLES[str(role)]) for pattern, role in roles.items()),
        (_token(request),),
        **{name: _text(request, name) for name in _TEXTS},
    )
    return _done(book.create(principal))


def _rotate(book: PrincipalBook, store: ConfigStore, request: Mapping[str, object]) -> Answer:
    overlap_s = request.get("overlap_s")
    if not isinstance(overlap_s, int | float) or not 0 <= overlap_s <= MAX_OVERLAP_S:
        raise RequestInvalid(f"overlap_s: another value (expected: seconds from 0 to {MAX_OVERLAP_S})")
    return _done(book.rotate(_text(request, "name"), _token(request), overlap_s=overlap_s))


def _revoke(book: PrincipalBook, store: ConfigStore, request: Mapping[str, object]) -> Answer:
    name, token_id = _text(request, "name"), _text(request, "token_id")
    return _done(book.revoke_token(name, token_id) if token_id else book.revoke(name))


def _list(book: PrincipalBook, store: ConfigStore, request: Mapping[str, object]) -> Answer:
    found = list_principals(store.snapshot())
    return {"principals": [_listed(name, each) for name, each in found.items()]}


def _listed(name: str, principal: Principal | DocumentInvalid) -> dict[str, object]:
    if isinstance(principal, DocumentInvalid):
        return {"name": name, "problem": principal.message}
    return {
        "name": name,
        "roles": {str(pattern): str(role) for pattern, role in principal.roles},
        "tokens": [
            {"id": token.sha256[:8], "created": token.created, "expires": token.expires}
            for token in principal.tokens
        ],
        **{text: getattr(principal, text) for text in _TEXTS},
    }


def _done(outcome: Outcome) -> Answer:
    return {"revision": outcome.revision, "commit_id": outcome.commit_id}


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


_ACTS: dict[str, Callable[[PrincipalBook, ConfigStore, Mapping[str, object]], Answer]] = {
    "create": _create,
    "rotate": _rotate,
    "revoke": _revoke,
    "list": _list,
}
