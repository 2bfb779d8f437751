"""Editing the file beside a service: what is not changed stays as it was written."""

from __future__ import annotations

import io
import re
from dataclasses import asdict, fields

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, ScalarString

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge
from configsvc.documents.meta import META_BOUNDS, Meta, check_meta, parse_meta
from configsvc.documents.scalars import read_plain
from configsvc.documents.source import fault

_SAFE_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 ,.@/()_-]*[A-Za-z0-9])?", re.ASCII)
_BOOLEAN_ELSEWHERE = frozenset(("y", "n", "yes", "no", "on", "off"))  # in YAML 1.1


def edit_meta(old: bytes | None, meta: Meta) -> bytes | None:
    """Return the text of a service's file for `meta`, None when it needs no file.

    Args:
        old: Text of the file so far; None when there is none.

    Raises:
        DocumentTooLarge: The new text is over `META_BOUNDS.max_bytes`.
        DocumentInvalid: `old` is not valid, or a string of `meta` has characters
            that it must not have, or that cannot be written as UTF-8.
    """
    check_meta(asdict(meta))
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
