"""Bodies that are not documents: small JSON objects whose members are all known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from flask import request

from configsvc.api.bodies import check_coding, read_body
from configsvc.api.parameters import MAX_INTEGER
from configsvc.api.v1.negotiation import JSON
from configsvc.core.errors import DocumentInvalid, MediaTypeUnsupported, RequestInvalid, RequestTooLarge
from configsvc.documents.bounds import Bounds
from configsvc.documents.json import parse_any_json

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

Member = TypeVar("Member")

_SMALL = Bounds(max_bytes=64 << 10, max_nodes=1000)
_KINDS: dict[type, str] = {bool: "true or false", int: "an integer from 0", str: "a string"}


def media_type_of(expected: Collection[str]) -> str:
    """Return the type that the body is sent as.

    Raises:
        MediaTypeUnsupported: It is none of `expected`, or is coded.
    """
    check_coding(request)
    if request.mimetype in expected:
        return request.mimetype
    shown = ascii(request.mimetype[:80]) if request.mimetype else "is missing"
    raise MediaTypeUnsupported(f"Content-Type: {shown} (expected: {' or '.join(expected)})")


def read_json(
    expected: Collection[str], bounds: Bounds = _SMALL, too_many: type[DocumentInvalid] = DocumentInvalid
) -> tuple[bytes, object]:
    """Return the body as sent, and what it parses to.

    Args:
        too_many: Raised for more nodes than `bounds.max_nodes`.

    Raises:
        RequestInvalid: There is no body.
        MediaTypeUnsupported: It is sent as something else.
        DocumentInvalid: It is not strict JSON.
        RequestTooLarge: It has more bytes than `bounds.max_bytes`.
    """
    media_type_of(expected)
    data = read_body(request, bounds.max_bytes, RequestTooLarge)
    if not data:
        raise RequestInvalid("body: is empty (expected: JSON)")
    return data, parse_any_json(data, bounds=bounds, too_many=too_many)


def read_members(expected: Collection[str] = (JSON,)) -> dict[str, object]:
    """Return the JSON object that is the body; else as `read_json`."""
    return as_members("body", read_json(expected)[1])


def as_members(name: str, value: object) -> dict[str, object]:
    """Return `value` when it is a mapping.

    Args:
        name: What messages call it.
    """
    if not isinstance(value, dict):
        raise RequestInvalid(f"{name}: is no object (expected: one)")
    return value


def check_known(members: Mapping[str, object], known: Collection[str]) -> None:
    """Raise `RequestInvalid` for a member that is not known, since it would be obeyed by half."""
    for name in members:
        if name not in known:
            raise RequestInvalid(f"member: {name[:40]!a} is not known here (expected: {', '.join(known)})")


def text_member(members: Mapping[str, object], name: str) -> str | None:
    """Return a string, None when it is not there."""
    found = members.get(name)
    if name not in members or isinstance(found, str):
        return found if isinstance(found, str) else None
    raise RequestInvalid(f"{name}: another type (expected: {_KINDS[str]})")


def flag_member(members: Mapping[str, object], name: str) -> bool | None:
    """Return a boolean, None when it is not there."""
    found = members.get(name)
    if name not in members or isinstance(found, bool):
        return found if isinstance(found, bool) else None
    raise RequestInvalid(f"{name}: another type (expected: {_KINDS[bool]})")


def integer_member(members: Mapping[str, object], name: str) -> int | None:
    """Return an integer from 0, None when it is not there."""
    found = members.get(name)
    if name not in members:
        return None
    if isinstance(found, float) and found.is_integer():
        found = int(found)  # to JSON Schema, and so to the contract, 1.0 is an integer
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MAX_INTEGER:
        return found
    raise RequestInvalid(f"{name}: is none (expected: {_KINDS[int]})")


def needed(name: str, found: Member | None) -> Member:
    """Return what was found, which must be there."""
    if found is None:
        raise RequestInvalid(f"{name}: is missing (expected: one)")
    return found
