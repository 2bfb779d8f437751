"""Answers to plain reads made of others: those of one kind differ by version, tag, length and body only.

The first of each kind is Flask's.  A template is made of it, and taken only where it gives that very
answer again; from then on an answer costs a lookup and a read, not a run through the application.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from configsvc.api import headers
from configsvc.api.conditional import stored_tag
from configsvc.api.seed import is_map, seed_tag
from configsvc.api.v1.negotiation import MEDIA_TYPES
from configsvc.core.errors import DocumentBroken
from configsvc.core.names import Format
from configsvc.documents.bounds import Bounds
from configsvc.edge.hot import HotRead
from configsvc.service.editions import stored_value
from configsvc.store.base import Entry

_LENGTH = b"content-length: %d\r\n"
_TAG = b"etag: %b\r\n"
_VERSION = headers.VERSION.lower().encode("ascii") + b": %d\r\n"

Kind = tuple[bool, Format]
"""Whether it is of `/config`, and the format of the document."""


class Parts(NamedTuple):
    """What an answer has of its own."""

    version: int
    tag: bytes
    media_type: bytes
    body: bytes


class Template(NamedTuple):
    """What answers of one kind have in common: the pieces of their head between what differs."""

    before_length: bytes
    before_tag: bytes
    before_version: bytes
    end: bytes

    def fill(self, service: str, parts: Parts, revision: int) -> HotRead:
        """Return the answer with these parts.

        Args:
            revision: The newest one at which it is known to hold.
        """
        body_lines = self.before_length + _LENGTH % len(parts.body)
        lines = b"%b%b%b%b%b" % (
            self.before_tag,
            _TAG % parts.tag,
            self.before_version,
            _VERSION % parts.version,
            self.end,
        )
        return HotRead(
            service,
            parts.version,
            parts.tag,
            parts.media_type,
            body_lines + lines + parts.body,
            len(body_lines),
            len(body_lines) + len(lines),
            revision,
        )


def template_of(read: HotRead, parts: Parts) -> Template | None:
    """Return the template that gives `read` when it is filled with `parts`; None when there is none."""
    before_length, _, _ = read.text[: read.lines_start].partition(_LENGTH % len(parts.body))
    before_tag, _, rest = read.text[read.lines_start : read.body_start].partition(_TAG % parts.tag)
    before_version, _, end = rest.partition(_VERSION % parts.version)
    template = Template(before_length, before_tag, before_version, end)
    return template if template.fill(read.service, parts, read.revision) == read else None


def parts_of(entry: Entry, data: bytes, bounds: Bounds, *, is_seed: bool) -> Parts | None:
    """Return what the newest version of a service is answered with; None when that is Flask's to say.

    Args:
        data: Text of the document, as it is stored.
        is_seed: `/config` is asked, which answers a map of versions where there are several.
    """
    if entry.format is None:
        return None
    if not is_seed:
        tag, media_type, body = stored_tag(entry), MEDIA_TYPES[entry.format], data
    elif is_map(entry) or entry.format is not Format.JSON:
        return None  # and a few kilobytes of YAML may be megabytes of JSON
    else:
        try:
            value = stored_value(data, entry.format, bounds)
        except DocumentBroken:
            return None
        tag, media_type, body = seed_tag(entry), MEDIA_TYPES[Format.JSON], json.dumps(value).encode("ascii")
    assert tag is not None
    return Parts(entry.version, tag.encode("ascii"), media_type.encode("ascii"), body)
