"""The file beside a service: enabled, owner, description.

`.configsvc/services/NAME.yaml` is written by people as well as by this service, so
an edit keeps what it does not change: comments, the order of keys, quotes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, ScalarString

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds
from configsvc.documents.scalars import read_plain
from configsvc.documents.source import fault, json_pointer, shown_key
from configsvc.documents.yaml import parse_yaml

META_BOUNDS = Bounds(max_bytes=1 << 16, max_nodes=1000, max_expanded_bytes=1 << 16)
"""The round trip of an edit is slow, and nobody has a longer description."""

_KINDS: dict[type, str] = {bool: "true or false", str: "a string"}
_SAFE_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 ,.@/()_-]*[A-Za-z0-9])?", re.ASCII)
# Controls but tab and newline, and what changes the direction of text (Unicode's report 9): both show as
# something else than what is there.
_MISLEADING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BOOLEAN_ELSEWHERE = frozenset(("y", "n", "yes", "no", "on", "off"))  # in YAML 1.1


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
    _check(value)
    return Meta(**value)  # type: ignore[arg-type]  # each was checked


def edit_meta(old: bytes | None, meta: Meta) -> bytes | None:
    """Return the text of a service's file for `meta`, None when it needs no file.

    Args:
        old: Text of the file so far; None when there is none.

    Raises:
        DocumentTooLarge: The new text is over `META_BOUNDS.max_bytes`.
        DocumentInvalid: `old` is not valid, or a string of `meta` has characters
            that it must not have, or that cannot be written as UTF-8.
    """
    _check(asdict(meta))
    before = parse_meta(old)
    if meta == Meta() and (old is None or not _has_comment(old)):
        return None
    if meta == before:
        return old
    for quote_all in (False, True):
        try:
            data = _edited(old or b"", before, meta, quote_all=quote_all)
        except DocumentInvalid:
            if quote_all:
                raise
            continue  # the style that the old text has cannot say the new one
        if _reads_as(data, meta):
            return data
    raise fault("text: cannot be written as YAML (expected: characters that UTF-8 has)")


def _check(members: Mapping[str, object]) -> None:
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


def _edited(old: bytes, before: Meta, meta: Meta, *, quote_all: bool) -> bytes:
    text = old.decode().replace("\r\n", "\n")
    editor = YAML(typ="rt")
    editor.preserve_quotes = True
    editor.width = META_BOUNDS.max_bytes
    editor.explicit_start = text.startswith("---") or "\n---" in text
    try:
        members = editor.load(text) or CommentedMap()
        for field in fields(Meta):
            new = getattr(meta, field.name)
            if new != getattr(before, field.name):
                members[field.name] = _spelled(new, members.get(field.name), quote_all=quote_all)
        written = io.BytesIO()
        editor.dump(members, written)
    except (YAMLError, UnicodeEncodeError) as error:
        raise fault("text: cannot be edited as YAML (expected: a plain mapping)") from error
    return written.getvalue().replace(b"\n", b"\r\n") if b"\r\n" in old else written.getvalue()


def _spelled(new: bool | str, old: object, *, quote_all: bool) -> object:
    """Return `new` in the quotes that `old` has; in double quotes where plain text could be misread."""
    if isinstance(new, bool):
        return new
    if quote_all:
        return DoubleQuotedScalarString(new)
    if isinstance(old, ScalarString):
        return type(old)(new)
    is_safe = _SAFE_PLAIN.fullmatch(new) and new.lower() not in _BOOLEAN_ELSEWHERE and read_plain(new) == new
    return new if is_safe else DoubleQuotedScalarString(new)


def _reads_as(data: bytes, meta: Meta) -> bool:
    try:
        return parse_meta(data) == meta
    except DocumentTooLarge:
        raise
    except DocumentInvalid:
        return False


def _has_comment(data: bytes) -> bool:
    text = data.decode()
    if "#" not in text:
        return False
    end = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if "#" in text[end : token.start_mark.index] or getattr(token, "style", None) in ("|", ">"):
            return True
        end = max(end, token.end_mark.index)
    return "#" in text[end:]
