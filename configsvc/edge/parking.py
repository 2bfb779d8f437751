"""Requests that wait, on connections that are left to them: no task, no ASGI scope, no buffers.

Anything unusual about one, a refusal above all, is left to the others who answer such requests.
"""

from __future__ import annotations

from typing import NamedTuple

from configsvc.api.hosts import find_host_problem
from configsvc.api.v1.watching import WATCH_PATH, Watch, read_watch
from configsvc.core.errors import ConfigError
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.hot_requests import HotRequest
from configsvc.edge.parked_polls import PollRoom
from configsvc.edge.parked_streams import StreamRoom
from configsvc.edge.poll_requests import Asked, read_poll
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.ready import ReadyAnswers
from configsvc.edge.watches import WatchStreams

_WATCH = WATCH_PATH.encode("ascii")
MAX_POLLS_KNOWN = 1024
"""Requests whose meaning is remembered; all are read again when there are more."""
_WATCH_LINE = b"GET " + _WATCH


class WaitHeaders(NamedTuple):
    """What the answer to a request depends on, beside its target; see `HotRequest`."""

    host: bytes
    authorization: bytes | None
    accept: bytes | None
    tag: bytes | None
    last_event_id: bytes | None


def may_wait(data: bytes) -> bool:
    """Return whether `data` looks like the start of a request that waits."""
    return data.startswith(_WATCH_LINE) or b"?wait=" in data


class Parking:
    """Takes requests that wait.  Used by the event loop only."""

    def __init__(self, streams: WatchStreams, hot: HotAnswerer, ready: ReadyAnswers) -> None:
        self._streams = streams
        self._hub = streams.hub
        self._ready = ready
        self._stream_room = StreamRoom(streams)
        self._poll_room = PollRoom(streams.hub, hot, ready)
        self.polls: dict[bytes, Asked | None] = {}
        """What is known of requests that may wait, by their bytes; None: this one is left to others."""

    def take_again(self, protocol: EdgeProtocol, data: bytes) -> bool:
        """Return whether a request is left to those who wait: others have waited with the same bytes."""
        asked = self.polls.get(data)
        if asked is None:
            return False
        self._poll_room.take_in_turn(protocol, asked)
        return True

    def take(self, protocol: EdgeProtocol, target: bytes, sent: WaitHeaders, data: bytes) -> bool:
        """Return whether a request waits from now on.

        Args:
            data: All of it.
        """
        path, _, query = target.partition(b"?")
        if self._hub.is_full or find_host_problem(_text(sent.host), self._streams.allowed_hosts) is not None:
            return False
        if path == _WATCH:
            return self._open_stream(protocol, query, sent)
        asked = self._poll(target, sent, data)
        return asked is not None and self._poll_room.take(protocol, asked)

    def _poll(self, target: bytes, sent: WaitHeaders, data: bytes) -> Asked | None:
        """Return what a request asks: one value for all that ask in the same bytes."""
        if data not in self.polls:
            if len(self.polls) >= MAX_POLLS_KNOWN:
                self.polls.clear()
            request = HotRequest(target, sent.host, sent.authorization, sent.accept, sent.tag)
            self.polls[data] = read_poll(target, request, data)
        return self.polls[data]

    def _open_stream(self, protocol: EdgeProtocol, query: bytes, sent: WaitHeaders) -> bool:
        authorization, access = _text(sent.authorization), self._streams.access
        try:
            access.admit(authorization)
            ask = read_watch(query, _text(sent.last_event_id))
            watch = Watch(ask, access, authorization, self._streams.snapshot)
        except ConfigError:
            return False
        # Last, since who counts a request must answer it.
        if not self._ready.admits(protocol.peer, sent.authorization):
            return False
        self._stream_room.open(protocol, watch, (ask.interest, authorization), query)
        return True


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
