"""`GET /api/v1/watch` for connections that are parked: one message a commit for all who are told the same.

Who watches the same with the same credential is in one audience, which has one place in the sequence of
revisions and makes each message once.  A stream that is new, or whose client did not read when its turn
came, is on its own until it has caught up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from configsvc.api.v1.watching import HEARTBEAT, WATCH_PATH, Watch, ended, reconnect
from configsvc.core.errors import ConfigError
from configsvc.edge.asgi_types import header_lines
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.watches import WatchStreams, stream_headers
from configsvc.watch.interest import Interest

MAX_UNREAD_BYTES = 16 << 10
"""That wait for a client before it counts as one that does not read."""

Key = tuple[Interest, str | None]


class Told(NamedTuple):
    """One message.

    Args:
        number: Which one of the audience it is.
        since: All up to this revision was in those before.
        data: As it is sent.
    """

    audience: Audience
    number: int
    since: int
    data: bytes

    def tell(self, streams: Iterator[ParkedStream]) -> None:
        """Have each take it."""
        for stream in streams:
            stream.take(self)


class StreamRoom:
    """All parked streams.  Used by the event loop only."""

    def __init__(self, streams: WatchStreams) -> None:
        self.streams = streams
        self.audiences: dict[Key, Audience] = {}

    def open(self, protocol: EdgeProtocol, watch: Watch, key: Key, query: bytes) -> None:
        """Answer a request for `watch` on a connection that is left to it."""
        stream = ParkedStream(self, protocol, watch, key, query)
        protocol.park(stream, for_long=True)
        protocol.transport.set_write_buffer_limits(MAX_UNREAD_BYTES)
        lines = header_lines([*protocol.server_state.default_headers, *stream_headers(watch)])
        protocol.transport.write(b"HTTP/1.1 200 OK\r\n" + lines + b"transfer-encoding: chunked\r\n\r\n")
        stream.go_on()

    def join(self, stream: ParkedStream, watch: Watch, key: Key) -> bool:
        """Let a stream that is up to date join its audience; return whether it did."""
        audience = self.audiences.get(key)
        if audience is not None:
            audience.tell()  # so that it is up to date too; it may end by that
            audience = self.audiences.get(key)
        if audience is None:
            audience = self.audiences[key] = Audience(self, watch, key)
            audience.add(stream)
            audience.tell()  # what was published before it was registered
            return True
        if audience.watch.position != watch.position:
            return False
        audience.add(stream)
        return True


class ParkedStream:
    """One client."""

    __slots__ = (
        "_is_queued",
        "_key",
        "_query",
        "_room",
        "_started_s",
        "audience",
        "is_gone",
        "number",
        "protocol",
        "watch",
    )

    def __init__(
        self, room: StreamRoom, protocol: EdgeProtocol, watch: Watch, key: Key, query: bytes
    ) -> None:
        self._room = room
        self._key = key
        self._query = query
        self._started_s = time.perf_counter()
        self._is_queued = False
        self.is_gone = False
        self.protocol = protocol
        self.watch: Watch | None = watch
        """Its own place in the sequence; None while it is in an audience."""
        self.audience: Audience | None = None
        self.number = 0
        """Of the last message of the audience that it was sent."""
        room.streams.hub.sharing += 1

    def go_on(self) -> None:
        """Send what comes next, in turn, while it is on its own, until it has caught up."""
        if not self._is_queued:
            self._is_queued = True
            self._room.streams.hub.catch_up(self._step)

    def _step(self) -> None:
        self._is_queued = False
        watch = self.watch
        if watch is None or self.protocol.flow.write_paused or self.protocol.transport.is_closing():
            return  # it goes on when the client reads, or ends
        try:
            told = watch.step()
        except ConfigError as error:
            self.end(ended(error))
            return
        if told:
            self.protocol.transport.write(chunk(told))
        if not (watch.is_up_to_date and self._room.join(self, watch, self._key)):
            self.go_on()

    def take(self, told: Told) -> None:
        """Send a message of its audience; fall behind if the client does not read."""
        if self.audience is not told.audience or self.number != told.number - 1:
            return
        if self.protocol.flow.write_paused:
            self.watch = told.audience.watch.resumed(told.since)
            told.audience.drop(self)
            return
        self.number = told.number
        self.protocol.transport.write(told.data)

    def beat(self) -> None:
        """Show that the connection is alive."""
        if self.audience is not None and not self.protocol.flow.write_paused:
            self.protocol.transport.write(_HEARTBEAT)

    def end(self, data: bytes) -> None:
        """Send the last event and give the connection back; nothing when it is gone."""
        if not self.is_gone:
            self.protocol.transport.write(chunk(data) + b"0\r\n\r\n")
            self.protocol.transport.set_write_buffer_limits()
            self.leave()
            self.protocol.unpark()

    def stop(self) -> None:
        """Tell the client to come again."""
        self.end(reconnect())

    def leave(self) -> None:
        """Be there no more; that is logged."""
        if self.is_gone:
            return
        self.is_gone = True
        if self.audience is not None:
            self.audience.drop(self)
        self.watch = None
        self._room.streams.hub.sharing -= 1
        scope = {"method": "GET", "path": WATCH_PATH, "query_string": self._query}
        self._room.streams.refusals.log(scope, 200, self._started_s, WATCH_PATH)


class Audience:
    """Those who are told the same, all that are up to date.

    Args:
        watch: Its place in the sequence, and what it may see.
    """

    def __init__(self, room: StreamRoom, watch: Watch, key: Key) -> None:
        self.watch = watch
        self._room = room
        self._key = key
        self._hub = room.streams.hub
        self._members: dict[ParkedStream, None] = {}
        self._told = 0
        self._hub.sharing -= 1  # its own registration stands for one of them
        self._registration = self._hub.index.add(watch.interest, self.tell)
        self._timer = self._wait()

    def add(self, stream: ParkedStream) -> None:
        """Have `stream` told what comes from now on."""
        self._members[stream] = None
        stream.audience, stream.number, stream.watch = self, self._told, None

    def drop(self, stream: ParkedStream) -> None:
        """Let go of `stream`; the last one ends the audience."""
        del self._members[stream]
        stream.audience = None
        if not self._members:
            self._end()

    def tell(self) -> None:
        """Send all members what was published since."""
        if self._room.audiences.get(self._key) is not self:
            return  # it was woken, and ended before its turn
        if self._hub.is_draining:
            return  # each connection is told by itself
        since = self.watch.position
        parts: list[bytes] = []
        try:
            while not parts or not self.watch.is_up_to_date:
                parts.append(self.watch.step())
        except ConfigError as error:
            members = list(self._members)
            self._end()
            self._hub.wake([partial(each.end, ended(error)) for each in members])
            return
        data = b"".join(parts)
        if data:
            self._told += 1
            told = Told(self, self._told, since, chunk(data))
            self._hub.tell(told.tell, self._members)

    def _wait(self) -> asyncio.TimerHandle:
        """Wait for the next heartbeat, or the end of the credential."""
        pause_s = self.watch.pause_s(self._room.streams.heartbeat_s)
        return asyncio.get_running_loop().call_later(pause_s, self._ring)

    def _ring(self) -> None:
        self._hub.wake([each.beat for each in self._members])
        self.tell()
        if self._room.audiences.get(self._key) is self:
            self._timer = self._wait()

    def _end(self) -> None:
        if self._room.audiences.get(self._key) is self:
            del self._room.audiences[self._key]
            self._timer.cancel()
            self._hub.index.remove(self._registration, self.watch.interest)
            self._hub.sharing += 1


def chunk(data: bytes) -> bytes:
    """Return `data` as one chunk (RFC 9112, section 7.1)."""
    return b"%x\r\n%s\r\n" % (len(data), data)


_HEARTBEAT = chunk(HEARTBEAT)
