"""The map of versions that `GET /config` answers, made on demand and streamed.

The answer is a JSON object from version number to document text, in the order
of the numbers, with the newest versions of the service's current life.  How
many fit is counted from the newest backwards; a long map is then made a second
time while it is sent, so that a slow reader holds no text in memory.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from configsvc.core.errors import DocumentBroken
from configsvc.service import ConfigService
from configsvc.store.base import Entry, Snapshot

MAX_VERSIONS = 1000
MAX_MAP_BYTES = 16 << 20
READY_BYTES = 256 << 10
"""A map up to this size is made once and sent whole."""

_CHUNK_BYTES = 64 << 10
_KNOWN_SIZES = 100_000


class VersionMaps:
    """Maps of versions of the services of one `ConfigService`.  Thread-safe."""

    def __init__(
        self,
        service: ConfigService,
        *,
        max_versions: int = MAX_VERSIONS,
        max_bytes: int = MAX_MAP_BYTES,
        ready_bytes: int = READY_BYTES,
    ) -> None:
        self._service = service
        self._max_versions = max_versions
        self._max_bytes = max_bytes
        self._ready_bytes = ready_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()  # guards the mapping above

    def render(self, snapshot: Snapshot, newest: Entry) -> bytes | Iterator[bytes]:
        """Return the map of `newest`'s service: whole when it is small, else chunk by chunk.

        The newest version is always in it, whatever its size.
        """
        end = newest.version + 1
        life = snapshot.entries(newest.service)[max(newest.born, end - self._max_versions) : end]
        members: list[bytes] = []
        total = count = 0
        for entry in reversed(life):
            member = self._member(snapshot, entry) if total <= self._ready_bytes else None
            total += self._size(snapshot, entry) if member is None else len(member)
            if count and total > self._max_bytes:
                break
            count += 1
            if member is not None:
                members.append(member)
        shown = life[-count:]
        if len(members) == count and total <= self._ready_bytes:
            return b"{\n" + b",\n".join(reversed(members)) + b"\n}\n"
        return self._chunks(snapshot, shown)

    def _chunks(self, snapshot: Snapshot, entries: Sequence[Entry]) -> Iterator[bytes]:
        chunk, separator = bytearray(b"{\n"), b""
        for entry in entries:
            chunk += separator + self._member(snapshot, entry)
            separator = b",\n"
            if len(chunk) >= _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk + b"\n}\n")

    def _member(self, snapshot: Snapshot, entry: Entry) -> bytes:
        try:
            text = json.dumps(self._service.value(snapshot, entry))
        except DocumentBroken:  # from before the gate: its text, so that the others can be read
            text = self._service.document(snapshot, entry).decode("utf-8", "replace")
        return f'  "{entry.version}": {json.dumps(text)}'.encode("ascii")

    def _size(self, snapshot: Snapshot, entry: Entry) -> int:
        """Return the size of a member; remembered, since a version never changes."""
        key = f"{entry.version} {entry.blob_id} {entry.format}"
        with self._lock:
            known = self._sizes.get(key)
        if known is not None:
            return known
        size = len(self._member(snapshot, entry))
        with self._lock:
            self._sizes[key] = size
            if len(self._sizes) > _KNOWN_SIZES:
                self._sizes.popitem(last=False)
        return size
