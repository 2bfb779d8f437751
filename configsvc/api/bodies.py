"""Request bodies: which types are taken, and what they hold."""

from __future__ import annotations

from flask import Request

from configsvc.core.errors import DocumentTooLarge, MediaTypeUnsupported, RequestInvalid
from configsvc.core.names import Format
from configsvc.documents.document import Document
from configsvc.service import ConfigService

_YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})
# Edits, not documents: whoever sends one would be surprised to see it stored.
_PATCH_TYPES = frozenset({"application/merge-patch+json", "application/json-patch+json"})


def read_body(request: Request, max_bytes: int, too_large: type[RequestInvalid] = DocumentTooLarge) -> bytes:
    """Return the body of `request`, empty when it has none.

    Args:
        too_large: Raised for one of more than `max_bytes`; one that says so is not read.
    """
    error = too_large(f"body: larger than {max_bytes} bytes")
    if (request.content_length or 0) > max_bytes:
        raise error
    # One more than allowed: Werkzeug cuts a body of unknown length at its limit without a word.
    request.max_content_length = max_bytes + 1
    data = request.get_data(cache=False)
    if len(data) > max_bytes:
        raise error
    return data


def read_document(request: Request, data: bytes, service: ConfigService) -> Document:
    """Return the document that is the body `data` of `request`.

    Raises:
        RequestInvalid: There is no body.
        MediaTypeUnsupported: Its headers promise something else than a document.
        DocumentInvalid: It is none.
    """
    if not data:
        raise RequestInvalid("body: is empty (expected: a document)")
    return service.read_document(data, body_format(request))


def body_format(request: Request) -> Format:
    """Return the format that the headers of `request` state.

    No other type is taken: a form or plain text is what a foreign web page
    can send here without being asked.

    Raises:
        MediaTypeUnsupported: Type, charset or content coding is none of ours.
    """
    check_coding(request)
    media_type = request.mimetype
    if media_type in _YAML_TYPES:
        return Format.YAML
    is_json = media_type == "application/json" or (
        media_type.startswith("application/")
        and media_type.endswith("+json")
        and media_type not in _PATCH_TYPES
    )
    if is_json:
        return Format.JSON
    shown = ascii(media_type[:80]) if media_type else "is missing"
    raise MediaTypeUnsupported(f"Content-Type: {shown} (expected: application/json or application/yaml)")


def check_coding(request: Request) -> None:
    """Raise `MediaTypeUnsupported` for a body that is compressed, or not in UTF-8."""
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding != "identity":
        raise MediaTypeUnsupported(f"Content-Encoding: {coding[:80]!a} (expected: identity)")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset != "utf-8":
        raise MediaTypeUnsupported(f"charset: {charset[:80]!a} (expected: utf-8)")
