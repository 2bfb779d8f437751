"""The text of a document made to say another value, with as little change as possible.

YAML is cut where the value differs (`surgery`); comments, order, quotes, anchors and
indents elsewhere stay because they are never written anew.  A round trip
through ruamel.yaml would put spaces, quotes and lists right in every line, and
takes seconds for 100 KB.  What cannot be cut is written anew, first as the
members of the top level that differ, then as a whole; every result is
parsed and compared before it is used.
"""

from __future__ import annotations

from configsvc.core.errors import DocumentInvalid, EditTooLarge
from configsvc.core.names import Format
from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.documents.cuts import SurgeryFailed
from configsvc.documents.document import Value, fingerprint, parse_document
from configsvc.documents.json import format_json
from configsvc.documents.jsonedit import edit_json
from configsvc.documents.nodes import read_nodes
from configsvc.documents.source import check_size, fault
from configsvc.documents.spelling import Layout
from configsvc.documents.surgery import Surgeon

MAX_EDIT_BYTES = 128 << 10
"""Largest YAML text that is edited, in bytes; a larger one can be replaced as a whole."""
MAX_EDIT_NODES = 20_000
"""Most values and keys, as its marks tell, of a YAML text that is edited while a client waits for it."""

_MARKS = {b",": 1, b"- ": 1, b": ": 2, b":\n": 2, b":\r": 2}
"""What stands between values, and how many of them, keys included, it stands for."""


def edit_document(
    old: bytes, format_: Format, new: Value, *, bounds: Bounds = DEFAULT_BOUNDS, was: Value | None = None
) -> bytes:
    """Return the text for a document whose value becomes `new`.

    An equal value leaves the text as it is, byte for byte.

    Args:
        old: The text so far.
        new: Within `bounds`.
        was: What `old` parses to, where that is known.

    Raises:
        DocumentInvalid: `old` is not valid, or the new text breaks a bound.
        EditTooLarge: `old` is YAML of more than `MAX_EDIT_BYTES`.
    """
    _check_size(old, format_)
    wanted = fingerprint(new)
    if fingerprint(parse_document(old, format_, bounds=bounds) if was is None else was) == wanted:
        return old
    try:
        if format_ is Format.JSON:
            return format_json(edit_json(old.decode(), new).encode(), bounds=bounds)
        return _edited_yaml(old, new, wanted, bounds)
    except RecursionError as error:  # max_depth was set beyond what the interpreter can do
        raise fault("depth: more than the interpreter can edit") from error


def check_editable(old: bytes, format_: Format) -> None:
    """Raise `EditTooLarge` for a text that takes too long to edit, reading no more of it than its marks.

    Marks in texts count as well: what seems to have more values than it has is refused, too.
    """
    _check_size(old, format_)
    if format_ is not Format.YAML:
        return
    nodes = sum(count * old.count(mark) for mark, count in _MARKS.items())
    if nodes > MAX_EDIT_NODES:
        limit = f"(expected: <= {MAX_EDIT_NODES} to edit it; send the whole document as YAML)"
        raise EditTooLarge(f"YAML document: about {nodes} values and keys {limit}")


def _check_size(old: bytes, format_: Format) -> None:
    if format_ is Format.YAML and len(old) > MAX_EDIT_BYTES:
        limit = f"(expected: <= {MAX_EDIT_BYTES} to edit it; send the whole document as YAML)"
        raise EditTooLarge(f"YAML document: {len(old)} bytes {limit}")


def _edited_yaml(old: bytes, new: Value, wanted: bytes, bounds: Bounds) -> bytes:
    ended = old if old.endswith(b"\n") else old + b"\n"  # at its end, a block scalar needs it
    attempts = (old, False, False), (ended, False, False), (ended, False, True), (ended, True, True)
    for text, is_coarse, is_careful in dict.fromkeys(attempts):
        edited = _cut(text, new, is_coarse=is_coarse, is_careful=is_careful)
        if edited is not None and _says(edited, wanted, bounds):
            return edited
    lines = Layout().lines(new, 0) if new else ["{}"]
    written = _encode("\n".join(lines) + "\n", old)
    parse_document(written, Format.YAML, bounds=bounds)
    return written


def _cut(old: bytes, new: Value, *, is_coarse: bool, is_careful: bool) -> bytes | None:
    text = old.decode().replace("\r\n", "\n")
    if "\r" in text:  # the line ends of systems long gone
        return None
    try:
        surgeon = Surgeon(text, read_nodes(text), is_careful=is_careful)
        return _encode(surgeon.operate(new, is_coarse=is_coarse), old)
    except SurgeryFailed:
        return None


def _encode(text: str, old: bytes) -> bytes:
    """Return `text` with the line ends of `old`."""
    is_windows = b"\r\n" in old and old.count(b"\n") == old.count(b"\r\n")
    return (text.replace("\n", "\r\n") if is_windows else text).encode()


def _says(data: bytes, wanted: bytes, bounds: Bounds) -> bool:
    check_size(len(data), bounds=bounds)
    try:
        return fingerprint(parse_document(data, Format.YAML, bounds=bounds)) == wanted
    except DocumentInvalid:
        return False
