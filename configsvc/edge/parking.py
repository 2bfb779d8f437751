"""Requests that wait, on connections that are left to them: no task, no ASGI scope, no buffers.

Anything unusual about one, a refusal above all, is left to the others who answer such requests.
"""

from __future__ import annotations

from dataclasses import dataclass

from configsvc.access.rates import RateLimits
from configsvc.api.hosts import find_host_problem
from configsvc.api.v1.watching import WATCH_PATH, Watch, read_watch
from configsvc.core.errors import ConfigError
from configsvc.edge.parked_streams import StreamRoom
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.watches import WatchStreams

_WATCH = WATCH_PATH.encode("ascii")
_WATCH_LINE = b"GET " + _WATCH


@dataclass(frozen=True, slots=True)
class WaitHeaders:
    """What the answer to a request that waits depends on, beside its target."""

    host: bytes
    authorization: bytes | None
    accept: bytes | None
    tag: bytes | None
    last_event_id: bytes | None


def may_wait(data: bytes) -> bool:
    """Return whether `data` looks like the start of a request that waits."""
    return data.startswith(_WATCH_LINE)


class Parking:
    """Takes requests that wait.  Used by the event loop only.

    Args:
        rates: Count them, by the address of the peer; None: nobody is limited.
    """

    def __init__(self, streams: WatchStreams, *, rates: RateLimits | None = None) -> None:
        self._streams = streams
        self._hub = streams.hub
        self._rates = rates
        self._rooms = StreamRoom(streams)

    def take(self, protocol: EdgeProtocol, target: bytes, sent: WaitHeaders, data: bytes) -> bool:
        """Return whether a request waits from now on.

        Args:
            data: All of it.
        """
        path, _, query = target.partition(b"?")
        is_full = self._hub.is_draining or self._hub.waiting >= self._hub.most
        if is_full or find_host_problem(_text(sent.host), self._streams.allowed_hosts) is not None:
            return False
        return path == _WATCH and self._open_stream(protocol, query, sent)

    def _open_stream(self, protocol: EdgeProtocol, query: bytes, sent: WaitHeaders) -> bool:
        authorization, access = _text(sent.authorization), self._streams.access
        try:
            access.admit(authorization)
            ask = read_watch(query, _text(sent.last_event_id))
            watch = Watch(ask, access, authorization, self._streams.snapshot)
        except ConfigError:
            return False
        if not self._is_admitted(protocol, sent):
            return False
        self._rooms.open(protocol, watch, (ask.interest, authorization), query)
        return True

    def _is_admitted(self, protocol: EdgeProtocol, sent: WaitHeaders) -> bool:
        # Last, since who counts a request must answer it.
        return self._rates is None or self._rates.admits(protocol.peer, sent.authorization)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
