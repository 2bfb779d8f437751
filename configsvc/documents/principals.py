"""The file of a principal: who it is, what it may do, and the hashes of its tokens.

`.configsvc/principals/NAME.yaml` is written by people as well as by this service:
every finding is told with its pointer, line and column, and an edit keeps what it
does not change.

    description: deploys from CI
    email: deploys@example.com
    unix_user: deploy
    roles:
      payments/**: writer
      "**": reader
    tokens:
      - sha256: 3f0c...
        created: 2026-10-01T09:00:00Z
        expires: 2027-01-01T00:00:00Z
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import Format
from configsvc.core.patterns import parse_pattern, pattern_problem
from configsvc.core.principals import ROLES, Principal, Token, parse_time
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds
from configsvc.documents.edit import edit_document
from configsvc.documents.meta import misleading
from configsvc.documents.places import find_places
from configsvc.documents.source import json_pointer, shown_key
from configsvc.documents.yaml import parse_yaml

PRINCIPAL_BOUNDS = Bounds(max_bytes=1 << 15, max_depth=4, max_nodes=1000, max_expanded_bytes=1 << 15)
"""There may be thousands of these files; one grant costs a line."""
MAX_ROLES = 100
MAX_TOKENS = 10
MAX_TEXT_CHARS = 500

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASH_IN_TEXT = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?", re.ASCII)
_EMAIL = re.compile(r"[!-;=?A-~]{1,64}@[A-Za-z0-9.-]{1,189}", re.ASCII)

Finding = tuple[list[str | int], str]
"""Where a violation is, and what it says."""


def parse_principal(name: str, data: bytes) -> Principal:
    """Return what a principal's file says.

    Raises:
        DocumentTooLarge: Over `PRINCIPAL_BOUNDS.max_bytes`.
        DocumentInvalid: Not a document, or with unknown keys or values that
            are not allowed; `details` names each.
    """
    value = parse_yaml(data, bounds=PRINCIPAL_BOUNDS)
    findings = [*_unknown(value, _MEMBERS, []), *_members(value), *_hidden_hashes(value, data)]
    if findings:
        raise _refusal(findings, data)
    roles = value.get("roles", {})
    tokens = value.get("tokens", [])
    assert isinstance(roles, dict)
    assert isinstance(tokens, list)
    texts = {key: str(value[key]) for key in ("description", "email", "unix_user") if key in value}
    return Principal(
        name,
        tuple((parse_pattern(pattern), ROLES[role]) for pattern, role in roles.items()),
        tuple(Token(**token) for token in tokens),
        **texts,
    )


def hashes_in(data: bytes) -> frozenset[str]:
    """Return what in a text may be the hash of a token: all that `parse_principal` finds, and quickly."""
    return frozenset(found.decode("ascii") for found in _HASH_IN_TEXT.findall(data))


def write_principal(principal: Principal, old: bytes | None = None) -> bytes:
    """Return the text of a principal's file.

    Args:
        old: Text of the file so far, of which comments and layout stay; None when there is none.

    Raises:
        DocumentInvalid: `old` is not valid, or `principal` cannot be written so that it reads the same.
    """
    if old is not None:
        parse_principal(principal.name, old)
    data = edit_document(old or b"{}\n", Format.YAML, _value(principal), bounds=PRINCIPAL_BOUNDS)
    if parse_principal(principal.name, data) != principal:
        raise DocumentInvalid(f"principal: {principal.name} cannot be written (expected: plain values)")
    return data


def _value(principal: Principal) -> dict[str, object]:
    texts = {key: getattr(principal, key) for key in ("description", "email", "unix_user")}
    value: dict[str, object] = {key: text for key, text in texts.items() if text}
    if principal.roles:
        value["roles"] = {str(pattern): str(role) for pattern, role in principal.roles}
    if principal.tokens:
        value["tokens"] = [_token_value(token) for token in principal.tokens]
    return value


def _token_value(token: Token) -> dict[str, object]:
    members = {"sha256": token.sha256, "created": token.created, "expires": token.expires}
    return {key: text for key, text in members.items() if text}


def _refusal(findings: list[Finding], data: bytes) -> DocumentInvalid:
    places = find_places(data, Format.YAML)
    violations = []
    for path, message in findings:
        found = places.at(path)
        line, column = found.key or found.value if message.startswith("unknown key") else found.value
        violations.append(Violation("", message, json_pointer(path), line, column))
    message = "; ".join(violation.message for violation in violations[:10])
    return DocumentInvalid(message, [violation.as_json() for violation in violations])


def _unknown(value: dict[str, object], known: dict[str, _Check], path: list[str | int]) -> Iterator[Finding]:
    for key in value:
        if key not in known:
            yield [*path, key], f"unknown key {shown_key(key)} (expected: {', '.join(known)})"


def _members(value: dict[str, object]) -> Iterator[Finding]:
    for key, check in _MEMBERS.items():
        if key in value:
            yield from check(value[key], [key])


def _text(value: object, path: list[str | int]) -> Iterator[Finding]:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        yield path, f"{path[-1]}: another value (expected: a string of <= {MAX_TEXT_CHARS} characters)"
        return
    problem = misleading(value)
    if problem is not None:
        yield path, f"{path[-1]}: {problem}"


def _matching(pattern: re.Pattern[str], expected: str) -> _Check:
    def check(value: object, path: list[str | int]) -> Iterator[Finding]:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield path, f"{path[-1]}: another value (expected: {expected})"

    return check


def _time(value: object, path: list[str | int]) -> Iterator[Finding]:
    is_time = isinstance(value, str) and _TIME.fullmatch(value) is not None
    if is_time:
        try:
            parse_time(str(value))
        except ValueError:
            is_time = False
    if not is_time:
        yield path, f"{path[-1]}: another value (expected: a time in UTC such as 2027-01-31T00:00:00Z)"


def _roles(value: object, path: list[str | int]) -> Iterator[Finding]:
    if not isinstance(value, dict) or len(value) > MAX_ROLES:
        yield path, f"roles: another value (expected: a mapping of <= {MAX_ROLES} path patterns to roles)"
        return
    for pattern, role in value.items():
        problem = pattern_problem(pattern)
        if problem is not None:
            yield [*path, pattern], f"path pattern: {problem}"
        if not isinstance(role, str) or role not in ROLES:
            yield [*path, pattern], f"role: another value (expected: {', '.join(ROLES)})"


def _tokens(value: object, path: list[str | int]) -> Iterator[Finding]:
    if not isinstance(value, list) or len(value) > MAX_TOKENS:
        yield path, f"tokens: another value (expected: a list of <= {MAX_TOKENS} tokens)"
        return
    for place, token in enumerate(value):
        yield from _token(token, [*path, place])
    hashes = Counter(token.get("sha256") for token in value if isinstance(token, dict) and _is_hash(token))
    if any(count > 1 for count in hashes.values()):
        yield path, "tokens: one stands twice (expected: each once)"


def _token(value: object, path: list[str | int]) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield path, f"token: another value (expected: a mapping with {', '.join(_TOKEN_MEMBERS)})"
        return
    yield from _unknown(value, _TOKEN_MEMBERS, path)
    if "sha256" not in value:
        yield path, "token: without sha256 (expected: the hash of the token)"
    for key, check in _TOKEN_MEMBERS.items():
        if key in value:
            yield from check(value[key], [*path, key])


def _is_hash(token: dict[str, object]) -> bool:
    return isinstance(token.get("sha256"), str)


def _hidden_hashes(value: dict[str, object], data: bytes) -> Iterator[Finding]:
    """Yield the hashes that `hashes_in` does not find."""
    tokens, shown = value.get("tokens"), hashes_in(data)
    for place, token in enumerate(tokens if isinstance(tokens, list) else ()):
        found = token.get("sha256") if isinstance(token, dict) else None
        if isinstance(found, str) and _HASH.fullmatch(found) and found not in shown:
            path: list[str | int] = ["tokens", place, "sha256"]
            yield path, "sha256: written with escapes or line breaks (expected: 64 digits in one piece)"


_Check = Callable[[object, list[str | int]], Iterator[Finding]]
_MEMBERS: dict[str, _Check] = {
    "description": _text,
    "email": _matching(_EMAIL, "an address such as deploys@example.com"),
    "unix_user": _matching(_USER, "the name of a Unix user"),
    "roles": _roles,
    "tokens": _tokens,
}
_TOKEN_MEMBERS: dict[str, _Check] = {
    "sha256": _matching(_HASH, "a string of 64 hex digits in lower case"),
    "created": _time,
    "expires": _time,
}
