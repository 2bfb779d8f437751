"""A document in the other format: the value as JSON or YAML text, without what only its own text had."""

from __future__ import annotations

import json

from configsvc.core.names import Format
from configsvc.documents.document import Value
from configsvc.documents.spelling import Layout


def render_value(value: Value, format_: Format) -> bytes:
    """Return a text in `format_` that says `value`; UTF-8, with a line end at its end."""
    return render_json(value) if format_ is Format.JSON else render_yaml(value)


def render_json(value: object) -> bytes:
    """Return any value as JSON, laid out as documents are stored."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def render_yaml(value: Value) -> bytes:
    """Return a mapping as YAML in block style."""
    lines = Layout().lines(value, 0) if value else ["{}"]
    return ("\n".join(lines) + "\n").encode()
