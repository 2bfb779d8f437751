"""Documents that are read often, as the bytes of the answer that Flask made of them.

Whether such an answer still holds is asked of the newest snapshot, not told by notices: a version
never changes, so an answer holds as long as the service's newest version is the one it is of.
What changes with every commit, the revision that each answer names, is no part of it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from configsvc.api import headers
from configsvc.edge.asgi_types import RawHeaders, header_lines
from configsvc.store.base import Snapshot

BYTES_BESIDE_TEXT = 640
"""What an answer takes in memory beyond its text: objects, keys, places in mappings."""

_REVISION = headers.REVISION.lower().encode("ascii")
_VERSION = headers.VERSION.lower().encode("ascii")
# Of a body: an answer 304 has none, and does not tell of it (RFC 9110, section 15.4.5).
_OF_BODY = (b"content-type", b"content-length")


@dataclass(slots=True)
class HotRead:
    """One answer 200 to a plain read of one document.

    Args:
        version: Of the service, that the answer is of.
        tag: Its ETag.
        media_type: Of its body.
        text: Header lines of what describes the body, all others but `Date` and `Config-Revision`, the
            empty line that ends them, and the body: as they are sent.
        lines_start: Where, in `text`, the lines begin that do not describe the body.
        body_start: Where, in `text`, the body begins.
        revision: The newest one at which the answer is known to hold.
        is_unfit: It is no answer to keep, and nobody need try before there is a new version.
        is_kept: It is kept now.  Once it is no longer, it has no text: who knows of it still holds little.
    """

    service: str
    version: int
    tag: bytes
    media_type: bytes
    text: bytes
    lines_start: int
    body_start: int
    revision: int
    is_unfit: bool = False
    is_kept: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        text = len(self.text) + len(self.tag) + len(self.media_type)
        return text + len(self.service) + BYTES_BESIDE_TEXT

    @property
    def body_size(self) -> int:
        """Bytes of the body."""
        return len(self.text) - self.body_start

    @property
    def head_text(self) -> bytes:
        """All before the body."""
        return self.text[: self.body_start]

    @property
    def known_text(self) -> bytes:
        """What is sent to who has this version already: the head, without what describes the body."""
        return self.text[self.lines_start : self.body_start]

    def head(self, *, is_whole: bool) -> RawHeaders:
        """Return the headers, `Date` and `Config-Revision` aside.

        Args:
            is_whole: With those that describe the body.
        """
        text = self.head_text if is_whole else self.known_text
        pairs = (line.partition(b": ") for line in text[:-4].split(b"\r\n"))
        return [(name, value) for name, _, value in pairs]


def hot_read(service: str, answer_headers: RawHeaders, body: bytes | None) -> HotRead:
    """Return an answer 200 as it is kept, or as `unfit` when it is none to keep.

    Args:
        answer_headers: With lower-case names.
        body: All of it; None when it comes in parts.
    """
    found = dict(answer_headers)
    version, revision = int(found[_VERSION]), int(found[_REVISION])
    if body is None or found.get(b"content-length") != b"%d" % len(body):
        return unfit(service, version, revision)
    body_lines = header_lines([pair for pair in answer_headers if pair[0] in _OF_BODY])
    lines = header_lines([pair for pair in answer_headers if pair[0] not in (*_OF_BODY, _REVISION)]) + b"\r\n"
    return HotRead(
        service,
        version,
        found[b"etag"],
        found[b"content-type"],
        body_lines + lines + body,
        len(body_lines),
        len(body_lines) + len(lines),
        revision,
    )


def unfit(service: str, version: int, revision: int) -> HotRead:
    """Return the mark of an answer that is not kept, such as one that is too large."""
    return HotRead(service, version, b"", b"", b"", 0, 0, revision, is_unfit=True)


class HotReads:
    """Answers by request target, least recently used out.  Used by the event loop only.

    Args:
        max_bytes: That all of them may take; an answer of more than an eighth is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.used_bytes = 0
        self.max_bytes = max_bytes
        self._kept: OrderedDict[bytes, HotRead] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, target: bytes, snapshot: Snapshot) -> HotRead | None:
        """Return the answer that holds at `snapshot`, the mark of an unfit one included; None without one."""
        read = self._kept.get(target)
        if read is None:
            return None
        if read.revision != snapshot.revision and not self._renew(target, read, snapshot):
            return None
        self._kept.move_to_end(target)
        return read

    def touch(self, target: bytes) -> None:
        """Note that the answer to `target`, if it is kept, is the last one used."""
        if target in self._kept:
            self._kept.move_to_end(target)

    def keep(self, target: bytes, read: HotRead) -> None:
        """Keep an answer, in place of what was kept for the same target."""
        if read.size > self.max_bytes // 8:
            read = unfit(read.service, read.version, read.revision)
        self._drop(target)
        self._kept[target] = read
        self.used_bytes += read.size
        read.is_kept = True
        while self.used_bytes > self.max_bytes:
            self._drop(next(iter(self._kept)))

    def keep_ahead(self, target: bytes, read: HotRead) -> bool:
        """Keep an answer that nobody asked for, unless there is one; return whether more have room."""
        if self.used_bytes + read.size > self.max_bytes // 4 * 3:
            return False
        if target not in self._kept:
            self.keep(target, read)
        return True

    def _renew(self, target: bytes, read: HotRead, snapshot: Snapshot) -> bool:
        """Return whether an answer holds at a later snapshot too; drop it when it does not."""
        if read.revision > snapshot.revision:
            return False  # it was made after `snapshot` was taken
        entry = snapshot.find(read.service)
        if entry is None or entry.version != read.version:
            self._drop(target)
            return False
        read.revision = snapshot.revision
        return True

    def _drop(self, target: bytes) -> None:
        dropped = self._kept.pop(target, None)
        if dropped is not None:
            self.used_bytes -= dropped.size
            dropped.is_kept, dropped.text = False, b""
