"""Entity tags of documents and of files about them, and preconditions made of them (RFC 9110, section 13)."""

from __future__ import annotations

import re
from typing import NamedTuple

from configsvc.core.errors import PreconditionFailed, RequestInvalid

BLOB_CHARS = 16
"""How much of the blob id a tag carries."""

# Empty elements are to be taken and dropped (RFC 9110, section 5.6.1.2).
_LIST_ITEM = re.compile(r'[\s,]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,[\s,]*|$)')
_BLOB = rf"([0-9a-f]{{{BLOB_CHARS}}})"
_DOCUMENT_TAG = re.compile(rf"(0|[1-9][0-9]{{0,9}})-{_BLOB}-(json|yaml|seed)", re.ASCII)
_FILE_TAG = re.compile(rf"{_BLOB}-(meta|schema|principal)", re.ASCII)
_NO_FILE = "0" * BLOB_CHARS


class DocumentTag(NamedTuple):
    """Names one version of one document, whatever its representation."""

    version: int
    blob: str


class FileTag(NamedTuple):
    """Names one state of a file about configs.

    Args:
        kind: `meta`, `schema` or `principal`.
    """

    kind: str
    blob: str


Tag = DocumentTag | FileTag


def file_tag_of(kind: str, blob_id: str | None) -> FileTag:
    """Return the tag of a file; what has no file, and so stands at its defaults, has one too."""
    return FileTag(kind, _NO_FILE if blob_id is None else blob_id[:BLOB_CHARS])


def file_tag(kind: str, blob_id: str | None) -> str:
    """Return the ETag header of an answer: `"{blob}-{kind}"`."""
    return f'"{file_tag_of(kind, blob_id).blob}-{kind}"'


def document_tag(version: int, blob_id: str, representation: str) -> str:
    """Return the ETag header of an answer: `"{version}-{blob}-{representation}"`.

    Args:
        representation: `json`, `yaml` or `seed`.
    """
    return f'"{version}-{blob_id[:BLOB_CHARS]}-{representation}"'


class Precondition(NamedTuple):
    """What must hold of a service for a write to go on.

    Args:
        tags: Any of these is current (`If-Match`); None asks nothing.
        must_exist: `If-Match: *`.
        must_not_exist: `If-None-Match: *`.
    """

    tags: frozenset[Tag] | None = None
    must_exist: bool = False
    must_not_exist: bool = False

    def check(self, name: str, current: Tag | None, other: Tag | None = None) -> None:
        """Raise `PreconditionFailed` unless `current` satisfies this.

        Args:
            name: What messages call it.
            current: Tag of what exists now, else None.
            other: A second tag of the same thing, as good as the first.
        """
        if self.must_not_exist and current is not None:
            raise PreconditionFailed(
                f"{name}: exists{_place(current)} (If-None-Match: * expected none)", details=_state(current)
            )
        if self.must_exist and current is None:
            raise PreconditionFailed(f"{name}: does not exist (If-Match: * expected that it does)")
        if self.tags is not None and not self.tags & {current, other}:
            found = "does not exist" if current is None else f"is{_place(current) or ' another'}"
            wanted = " or ".join(sorted({_wanted(tag) for tag in self.tags})) or "another tag"
            is_of_file = any(isinstance(tag, FileTag) for tag in self.tags)
            shown = other if is_of_file and other is not None else current
            raise PreconditionFailed(f"{name}: {found} (If-Match expected {wanted})", details=_state(shown))


ALWAYS = Precondition()


def parse_precondition(if_match: str | None, if_none_match: str | None) -> Precondition:
    """Return the precondition that a write's two headers state.

    A weak tag, or one that is none of ours, matches nothing, as strong
    comparison demands.

    Raises:
        RequestInvalid: A header is malformed, or `If-None-Match` is anything
            but `*`, which has no meaning on a write here.
    """
    if if_none_match is not None and if_none_match.strip() != "*":
        raise RequestInvalid(f"If-None-Match: {if_none_match[:80]!r} (expected on a write: *)")
    absent = if_none_match is not None
    if if_match is None:
        return Precondition(must_not_exist=absent)
    if if_match.strip() == "*":
        return Precondition(must_exist=True, must_not_exist=absent)
    tags = (_parse_tag(text) for weak, text in split_tags(if_match) if not weak)
    return Precondition(tags=frozenset(tag for tag in tags if tag is not None), must_not_exist=absent)


def split_tags(header: str) -> list[tuple[bool, str]]:
    """Return (is weak, opaque text) for each tag of a header's list.

    Raises:
        RequestInvalid: The list is malformed or empty.
    """
    found: list[tuple[bool, str]] = []
    position = 0
    while position < len(header):
        match = _LIST_ITEM.match(header, position)
        if match is None:
            raise RequestInvalid(f'entity tag: {header[:80]!r} (expected: "...", a list of them, or *)')
        found.append((match[1] is not None, match[2]))
        position = match.end()
    if not found:
        raise RequestInvalid('entity tag: empty (expected: "...", a list of them, or *)')
    return found


def _parse_tag(text: str) -> Tag | None:
    match = _DOCUMENT_TAG.fullmatch(text)
    if match is not None:
        return DocumentTag(int(match[1]), match[2])
    match = _FILE_TAG.fullmatch(text)
    return None if match is None else FileTag(match[2], match[1])


def _place(tag: Tag) -> str:
    return f" at version {tag.version}" if isinstance(tag, DocumentTag) else ""


def _wanted(tag: Tag) -> str:
    return f"version {tag.version}" if isinstance(tag, DocumentTag) else f"{tag.blob}-{tag.kind}"


def _state(current: Tag | None) -> list[dict[str, object]]:
    if isinstance(current, FileTag):
        return [{"etag": f'"{current.blob}-{current.kind}"'}]
    return [] if current is None else [{"version": current.version}]
