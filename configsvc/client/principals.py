"""Calls about principals, for those who administer everything; see `configsvc.client.calls`.

A token's SHA-256 is sent, never its text: who makes a token keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping

from configsvc.client import results
from configsvc.client.calls import JSON_BODY, Call, dump, params_of, write_request
from configsvc.client.messages import Request
from configsvc.client.parsing import one, page, written
from configsvc.client.paths import API, segment

_PRINCIPALS = f"{API}/principals"

Changed = results.PrincipalWritten | results.DryRun


def list_principals(
    *, limit: int | None = None, cursor: str | None = None
) -> Call[results.Page[results.Principal]]:
    """Return one page of the principals, in the order of their names."""
    request = Request("GET", _PRINCIPALS, params_of(limit=limit, cursor=cursor))
    return Call(request, page(results.Principal))


def get_principal(name: str) -> Call[results.Principal]:
    """Return the roles of a principal, and the ids of its tokens."""
    return Call(Request("GET", _path(name)), one(results.Principal))


def create_principal(
    name: str,
    roles: Mapping[str, str],
    token_sha256: str,
    *,
    created: str | None = None,
    expires: str | None = None,
    description: str | None = None,
    email: str | None = None,
    unix_user: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[Changed]:
    """Make a principal; the first one of a repository has to be an admin.

    Args:
        roles: Path patterns to `reader`, `writer` or `admin`.
        token_sha256: 64 hex digits.
        created: RFC 3339 in UTC; None for now.
        expires: RFC 3339 in UTC, when the token is first refused; None for never.
    """
    texts = {"description": description, "email": email, "unix_user": unix_user}
    body = {
        "name": name,
        "roles": dict(roles),
        "token": _token(token_sha256, created, expires),
        **{key: text for key, text in texts.items() if text is not None},
    }
    return _changing("POST", _PRINCIPALS, None, message, dry_run, body)


def rotate_token(
    name: str,
    token_sha256: str,
    *,
    created: str | None = None,
    expires: str | None = None,
    overlap_s: float | None = None,
    if_match: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[Changed]:
    """Give a principal another token.

    Args:
        overlap_s: Seconds that those so far are still accepted; None for 7 days.
    """
    body: dict[str, object] = {"token": _token(token_sha256, created, expires)}
    body |= {} if overlap_s is None else {"overlap_s": overlap_s}
    return _changing("POST", f"{_path(name)}/-/rotate", if_match, message, dry_run, body)


def delete_principal(
    name: str, *, if_match: str | None = None, message: str | None = None, dry_run: bool = False
) -> Call[Changed]:
    """Remove a principal with all its tokens."""
    return _changing("DELETE", _path(name), if_match, message, dry_run)


def revoke_token(
    name: str,
    token_id: str,
    *,
    if_match: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[Changed]:
    """Take one token away from a principal.

    Args:
        token_id: As listed: the start of its SHA-256.
    """
    path = f"{_path(name)}/-/tokens/{segment('token_id', token_id)}"
    return _changing("DELETE", path, if_match, message, dry_run)


def _changing(
    method: str,
    path: str,
    if_match: str | None,
    message: str | None,
    dry_run: bool,
    body: Mapping[str, object] | None = None,
) -> Call[Changed]:
    sent = ({}, b"") if body is None else (JSON_BODY, dump(body))
    return Call(
        write_request(method, path, if_match, message, dry_run, *sent), written(results.PrincipalWritten)
    )


def _token(sha256: str, created: str | None, expires: str | None) -> dict[str, str]:
    return {"sha256": sha256, **params_of(created=created, expires=expires)}


def _path(name: str) -> str:
    return f"{_PRINCIPALS}/{segment('principal', name)}"
