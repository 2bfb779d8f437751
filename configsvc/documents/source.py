"""The text of a document and the places in it: bytes to characters, errors with line and column."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds

MAX_POINTER_CHARS = 1000
"""A longer pointer is left out of an error: keys may be as long as the document."""

_MARK = b"\xef\xbb\xbf"


def decode_source(data: bytes, *, bounds: Bounds) -> str:
    """Return the text of `data`.

    Raises:
        DocumentTooLarge: More bytes than `bounds.max_bytes`.
        DocumentInvalid: Not UTF-8, or with a byte order mark.
    """
    check_size(len(data), bounds=bounds)
    if data.startswith(_MARK):
        raise fault("byte order mark (expected: UTF-8 without one)", line=1, column=1)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise fault_at(f"byte {data[error.start]:#04x} (expected: UTF-8)", before, len(before)) from error


def check_size(size: int, *, bounds: Bounds) -> None:
    """Raise `DocumentTooLarge` for more bytes than `bounds.max_bytes`."""
    if size > bounds.max_bytes:
        raise too_large(f"size: {size} bytes (expected: <= {bounds.max_bytes})")


def too_large(message: str) -> DocumentTooLarge:
    """Return the error for a text that is over its bound as a whole."""
    return DocumentTooLarge(message, [Violation("", message).as_json()])


def fault(message: str, *, line: int = 0, column: int = 0, pointer: str = "") -> DocumentInvalid:
    """Return the error for one finding.

    Args:
        line: 1-based; 0 when the finding has no place in the text.
        column: 1-based, in characters.
        pointer: JSON pointer (RFC 6901).
    """
    violation = Violation("", message, pointer, line, column)
    where = f"line {line}, column {column}: " if line else ""
    return DocumentInvalid(where + message, [violation.as_json()])


def fault_at(message: str, text: str, offset: int, pointer: str = "") -> DocumentInvalid:
    """Return the error for one finding at `offset`, in characters, of `text`."""
    line = text.count("\n", 0, offset) + 1
    return fault(message, line=line, column=offset - text.rfind("\n", 0, offset), pointer=pointer)


def json_pointer(path: Iterable[str | int | None]) -> str:
    """Return the JSON pointer of keys and indexes up to a None.

    It is empty when it would be over `MAX_POINTER_CHARS`, or hold a lone surrogate.
    """
    pointer = "".join(f"/{_escaped(part)}" for part in takewhile(lambda part: part is not None, path))
    is_text = not any("\ud800" <= character <= "\udfff" for character in pointer[:MAX_POINTER_CHARS])
    return pointer if is_text and len(pointer) <= MAX_POINTER_CHARS else ""


def shown_key(key: str) -> str:
    """Return a key as an error message shows it: ASCII, quoted, at most 80 characters of it."""
    return ascii(key if len(key) <= 80 else key[:80] + "...")


def _escaped(part: str | int | None) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
