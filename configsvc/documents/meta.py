"""The file beside a service: enabled, owner, description.

`.configsvc/services/NAME.yaml` is written by people as well as by this service, so
an edit keeps what it does not change: comments, the order of keys, quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from configsvc.core.errors import DocumentInvalid
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds
from configsvc.documents.source import json_pointer, shown_key
from configsvc.documents.yaml import parse_yaml

META_BOUNDS = Bounds(max_bytes=1 << 16, max_nodes=1000, max_expanded_bytes=1 << 16)
"""The round trip of an edit is slow, and nobody has a longer description."""

_KINDS: dict[type, str] = {bool: "true or false", str: "a string"}
# Controls but tab and newline, and what changes the direction of text (Unicode's report 9): both show as
# something else than what is there.
_MISLEADING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of a service besides its document.

    Args:
        enabled: Guards the service against deletion.
        owner: Who answers for it, in free text.
    """

    enabled: bool = True
    owner: str = ""
    description: str = ""


def parse_meta(data: bytes | None) -> Meta:
    """Return what a service's file says; the defaults for None.

    Raises:
        DocumentTooLarge: Over `META_BOUNDS.max_bytes`.
        DocumentInvalid: Not a document, or with unknown keys or values of
            another type; `details` names each.
    """
    if data is None:
        return Meta()
    value = parse_yaml(data, bounds=META_BOUNDS)
    check_meta(value)
    return Meta(**value)  # type: ignore[arg-type]  # each was checked


def check_meta(members: Mapping[str, object]) -> None:
    """Raise `DocumentInvalid` unless each member is one that there is, of its type and harmless to show."""
    violations = [found for key, member in members.items() for found in _violations(key, member)]
    if violations:
        message = "; ".join(violation.message for violation in violations[:10])
        raise DocumentInvalid(message, [violation.as_json() for violation in violations])


def _violations(key: str, member: object) -> list[Violation]:
    names = [field.name for field in fields(Meta)]
    if key not in names:
        message = f"unknown key {shown_key(key)} (expected: {', '.join(names)})"
        return [Violation("", message, json_pointer([key]))]
    kind = type(getattr(Meta(), key))
    if type(member) is not kind:
        return [Violation("", f"{key}: another type (expected: {_KINDS[kind]})", json_pointer([key]))]
    problem = misleading(member) if isinstance(member, str) else None
    return [] if problem is None else [Violation("", f"{key}: {problem}", json_pointer([key]))]


def misleading(text: str) -> str | None:
    """Return what in a free text would mislead who reads it on a terminal; None for nothing."""
    found = _MISLEADING.search(text)
    if found is None:
        return None
    return f"character U+{ord(found[0]):04X} (expected: none that controls a terminal or turns text)"
