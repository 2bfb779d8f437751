"""The map of versions that `GET /config` answers, made on demand and streamed.

The answer is a JSON object from version number to document text, in the order
of the numbers, with the newest versions of the service's current life.  How
many fit is counted from the newest backwards; a long map is then made a second
time while it is sent, so that a slow reader holds no text in memory.  Few long
maps are made at one time, each on behalf of somebody, and few of their texts.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

from configsvc.core.errors import DocumentBroken
from configsvc.core.fairturns import FairTurns
from configsvc.core.names import Format
from configsvc.service import ConfigService
from configsvc.store.base import Entry, Snapshot

MAX_VERSIONS = 1000
MAX_MAP_BYTES = 16 << 20
READY_BYTES = 256 << 10
"""A map up to this size is made once and sent whole."""

MAX_MAPS = 8
"""Most long maps that are made at one time; each holds a thread until it is sent."""
MAX_MAPS_EACH = 4
"""Most long maps of one principal, those that wait included."""
MAX_WAIT_S = 5.0

_TEXTS = 2
"""Texts of long maps that are made at one time."""
_CHUNK_BYTES = 64 << 10
_KNOWN_SIZES = 100_000


Turns = threading.BoundedSemaphore | nullcontext[None]
_FREE: nullcontext[None] = nullcontext()


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
        self._maps = FairTurns(
            "maps", most=MAX_MAPS, most_waiting=MAX_MAPS, most_each=MAX_MAPS_EACH, patience_s=MAX_WAIT_S
        )
        self._texts = threading.BoundedSemaphore(_TEXTS)
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()  # guards the mapping above

    def render(self, snapshot: Snapshot, newest: Entry, who: str | None = None) -> bytes | Iterator[bytes]:
        """Return the map of `newest`'s service: whole when it is small, else chunk by chunk.

        The newest version is always in it, whatever its size.

        Args:
            who: Asks; None: nobody in particular.

        Raises:
            QueueFull: It is long, and too many are made already, or too many for this one.
        """
        end = newest.version + 1
        life = snapshot.entries(newest.service)[max(newest.born, end - self._max_versions) : end]
        if self._is_short(snapshot, life):
            return self._rendered(snapshot, life)
        self._maps.take(who)
        try:
            made = self._rendered(snapshot, life, self._texts)
        except BaseException:
            self._maps.give_back(who)
            raise
        chunks = iter([made]) if isinstance(made, bytes) else made
        return _Held(chunks, lambda: self._maps.give_back(who))

    def _is_short(self, snapshot: Snapshot, life: Sequence[Entry]) -> bool:
        """Return whether all texts together are short, looking at no more of them than it takes to know."""
        total = 0
        for entry in reversed(life):
            text = self._service.document(snapshot, entry)
            total += len(text)
            has_aliases = entry.format is Format.YAML and b"*" in text  # it may stand for much more
            if has_aliases or total > self._ready_bytes:
                return False
        return True

    def _rendered(
        self, snapshot: Snapshot, life: Sequence[Entry], turns: Turns = _FREE
    ) -> bytes | Iterator[bytes]:
        members: list[bytes] = []
        total = count = 0
        for entry in reversed(life):
            with turns:
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
        return self._chunks(snapshot, shown, turns)

    def _chunks(self, snapshot: Snapshot, entries: Sequence[Entry], turns: Turns) -> Iterator[bytes]:
        chunk, separator = bytearray(b"{\n"), b""
        for entry in entries:
            with turns:
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


class _Held:
    """Chunks of a map, and what is given back when they have been sent, or nobody wants them any more."""

    def __init__(self, chunks: Iterator[bytes], give_back: Callable[[], None]) -> None:
        self._chunks = chunks
        self._give_back: Callable[[], None] | None = give_back

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give back; once."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    def __del__(self) -> None:
        # An answer that is never sent, because another one took its place, is not closed either.
        self.close()
