"""Which representation an answer has (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import request
from werkzeug.datastructures import Accept, MIMEAccept
from werkzeug.http import parse_accept_header

from configsvc.core.errors import NotAcceptable
from configsvc.core.names import Format

JSON = "application/json"
YAML = "application/yaml"
DIFF = "text/x-diff"
JSON_PATCH = "application/json-patch+json"
SCHEMA = "application/schema+json"

MEDIA_TYPES = {Format.JSON: JSON, Format.YAML: YAML}

_OTHER_NAMES = {
    YAML: ("application/x-yaml", "text/yaml", "text/x-yaml"),
    DIFF: ("text/x-patch", "text/plain"),
    SCHEMA: (JSON,),
}


def choose(offered: Sequence[str]) -> str:
    """Return the media type of `offered` that the client likes best; the first one where it does not mind.

    Raises:
        NotAcceptable: It accepts none of them.
    """
    header = request.headers.get("Accept")
    if header is None or not header.strip():
        return offered[0]
    accepted = _accepted(header)
    liked = max(offered, key=lambda media_type: _quality(accepted, media_type))
    if _quality(accepted, liked) > 0:
        return liked
    raise NotAcceptable(f"Accept: {header[:80]!a} (expected: {' or '.join(offered)})")


def _accepted(header: str) -> MIMEAccept:
    """Return the types of a header without their parameters, none of which changes what is answered."""
    return MIMEAccept(
        [(value.partition(";")[0].strip(), quality) for value, quality in parse_accept_header(header, Accept)]
    )


def _quality(accepted: MIMEAccept, media_type: str) -> float:
    quality = accepted.quality(media_type)
    if not quality and accepted.find(media_type) >= 0:  # ruled out by its own name
        return 0
    return max(quality, *(accepted.quality(name) for name in _OTHER_NAMES.get(media_type, ())), 0)
