"""Entity tags of documents, and the preconditions made from them (RFC 9110, section 13)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from configsvc.core.errors import PreconditionFailed, RequestInvalid

BLOB_CHARS = 16
"""How much of the blob id a tag carries."""

_LIST_ITEM = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
_TAG = re.compile(rf"(0|[1-9][0-9]{{0,9}})-([0-9a-f]{{{BLOB_CHARS}}})-(json|yaml|seed)", re.ASCII)


@dataclass(frozen=True, slots=True)
class DocumentTag:
    """Names one version of one document, whatever its representation."""

    version: int
    blob: str


def document_tag(version: int, blob_id: str, representation: str) -> str:
    """Return the ETag header of an answer: `"{version}-{blob}-{representation}"`.

    Args:
        representation: `json`, `yaml` or `seed`.
    """
    return f'"{version}-{blob_id[:BLOB_CHARS]}-{representation}"'


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must hold of a service for a write to go on.

    Args:
        tags: Any of these is current (`If-Match`); None asks nothing.
        must_exist: `If-Match: *`.
        must_not_exist: `If-None-Match: *`.
    """

    tags: frozenset[DocumentTag] | None = None
    must_exist: bool = False
    must_not_exist: bool = False

    def check(self, service: str, current: DocumentTag | None) -> None:
        """Raise `PreconditionFailed` unless `current` satisfies this.

        Args:
            current: Newest version of a service that exists, else None.
        """
        if self.must_not_exist and current is not None:
            raise PreconditionFailed(
                f"{service}: exists at version {current.version} (If-None-Match: * expected none)",
                details=_state(current),
            )
        if self.must_exist and current is None:
            raise PreconditionFailed(f"{service}: does not exist (If-Match: * expected that it does)")
        if self.tags is not None and current not in self.tags:
            found = "does not exist" if current is None else f"is at version {current.version}"
            wanted = " or ".join(sorted(f"version {tag.version}" for tag in self.tags)) or "another tag"
            raise PreconditionFailed(
                f"{service}: {found} (If-Match expected {wanted})", details=_state(current)
            )


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


def _parse_tag(text: str) -> DocumentTag | None:
    match = _TAG.fullmatch(text)
    return None if match is None else DocumentTag(int(match[1]), match[2])


def _state(current: DocumentTag | None) -> list[dict[str, object]]:
    return [] if current is None else [{"version": current.version}]
