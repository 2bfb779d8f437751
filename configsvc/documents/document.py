"""A document: the text as it is stored, its format, and what it parses to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from configsvc.core.names import Format
from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.documents.json import format_json, parse_json
from configsvc.documents.yaml import parse_yaml

Value = dict[str, object]
"""The top level of every document is a mapping."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that passed the form check.

    Args:
        data: UTF-8 text as it is stored.
        value: What `data` parses to; treat as read-only.
        sent: The text as a client sent it, whose lines it knows; None when nobody sent this.
    """

    format: Format
    data: bytes
    value: Value
    sent: bytes | None = field(default=None, compare=False)


def parse_document(data: bytes, format_: Format, *, bounds: Bounds = DEFAULT_BOUNDS) -> Value:
    """Return the value of a stored document.

    Raises:
        DocumentInvalid: Not well-formed, or a bound is broken; `details` has
            line and column.
        DocumentTooLarge: More bytes than `bounds.max_bytes`.
    """
    if format_ is Format.JSON:
        return parse_json(data, bounds=bounds)
    return parse_yaml(data, bounds=bounds)


def read_document(data: bytes, format_: Format, *, bounds: Bounds = DEFAULT_BOUNDS) -> Document:
    """Return the document to store for `data` as a client sent it.

    JSON is laid out anew (two-space indent, final newline; the order of keys
    and the spelling of numbers and strings stay); YAML is kept byte for byte.

    Raises:
        DocumentInvalid: As `parse_document`; also when the text to store
            would be over `bounds.max_bytes`.
    """
    value = parse_document(data, format_, bounds=bounds)
    stored = format_json(data, bounds=bounds) if format_ is Format.JSON else data
    return Document(format_, stored, value, sent=data)


def fingerprint(value: Value) -> bytes:
    """Return 32 bytes that are equal exactly for equal values.

    The order of keys does not count; `1`, `1.0` and `true` are three values.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()
