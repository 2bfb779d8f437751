"""Hot reads answered as they come off the network, before the request is parsed as HTTP.

Only what is one whole request, of a head that can have one meaning, on a connection where nothing
else is under way, is answered here.  All else goes on to the parser, byte for byte.
"""

from __future__ import annotations

import re
from typing import Any

from configsvc.edge.asgi_types import RawHeaders
from configsvc.edge.hot_requests import ONE_TAG, HotRequest, is_hot_target
from configsvc.edge.known import Decided
from configsvc.edge.parking import Parking, WaitHeaders, may_wait
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.ready import MAX_HEAD_BYTES, ReadyAnswers

MAX_BLOCKS = 4096
"""Header blocks whose meaning is remembered; all are read again when there are more."""

_LINE = re.compile(rb"([A-Za-z-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
_PLAIN = re.compile(rb"/[\x21\x22\x24-\x7e]*")
"""Targets that every parser reads alike: printable, without a fragment (RFC 9112, section 3.2)."""
_HARMLESS = frozenset(
    (
        *(b"accept", b"accept-encoding", b"accept-language", b"authorization", b"cache-control"),
        *(
            b"connection",
            b"host",
            b"if-none-match",
            b"last-event-id",
            b"pragma",
            b"traceparent",
            b"tracestate",
            b"user-agent",
        ),
    )
)


class Wire:
    """Finds the whole answer to a whole request.  Used by the event loop only.

    Args:
        parking: Takes the requests that wait; None: the others do.
    """

    def __init__(self, ready: ReadyAnswers, parking: Parking | None = None) -> None:
        self._ready = ready
        self._parking = parking
        self._known = ready.known
        self._polls = {} if parking is None else parking.polls
        self._blocks: dict[bytes, WaitHeaders | None] = {}
        self.find_answer = self.find
        self.park_request = self.park
        """Both bound once, for all connections."""

    def find(self, data: bytes, default_headers: RawHeaders, peer: str) -> bytes | None:
        """Return the answer to the request that `data` is; None when it is not for here.

        Args:
            default_headers, peer: See `ReadyAnswers.answer`.
        """
        known = self._known.find(data)
        if known is not None:
            return self._ready.answer(known, default_headers, peer)
        decided = None if data in self._polls or may_wait(data) else self._read(data)
        if decided is None:
            return None
        answer = self._ready.answer(decided, default_headers, peer)
        if answer is not None:
            self._known.keep(data, len(data), decided)
        return answer

    def park(self, data: bytes, protocol: EdgeProtocol) -> bool:
        """Return whether `data` is one whole request that waits from now on, without a task."""
        if self._parking is None:
            return False
        if self._parking.take_again(protocol, data):
            return True
        if not may_wait(data):
            return False
        words = self._split(data)
        if words is None or words[0] != b"GET":
            return False
        _, target, sent = words
        return self._parking.take(protocol, target, sent, data)

    def _read(self, data: bytes) -> Decided | None:
        """Return what one whole request for a plain read asks for; None when it is another one."""
        words = self._split(data)
        if words is None or not is_hot_target(words[1]):
            return None
        method, target, block = words
        target = target.replace(b"%2F", b"/")
        request = HotRequest(target, block.host, block.authorization, block.accept, block.tag)
        return Decided(request, is_head=method == b"HEAD")

    def _split(self, data: bytes) -> tuple[bytes, bytes, WaitHeaders] | None:
        """Return method, target and headers of one whole request; None when there is anything unusual."""
        end = data.find(b"\r\n")
        words = data[:end].split(b" ")
        if len(data) > MAX_HEAD_BYTES or data.find(b"\r\n\r\n") != len(data) - 4 or len(words) != 3:
            return None
        method, target, version = words
        if version != b"HTTP/1.1" or method not in (b"GET", b"HEAD") or not _PLAIN.fullmatch(target):
            return None
        block = self._block(data[end + 2 : -4])
        return None if block is None else (method, target, block)

    def _block(self, text: bytes) -> WaitHeaders | None:
        if text in self._blocks:
            return self._blocks[text]
        if len(self._blocks) >= MAX_BLOCKS:
            self._blocks.clear()
        block = self._blocks[text] = _read_block(text)
        return block


class WireProtocol(EdgeProtocol):
    """One connection, whose hot reads are answered by `wire`."""

    __slots__ = ("_find", "_park")

    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._find = wire.find_answer
        self._park = wire.park_request

    def data_received(self, data: bytes) -> None:
        """Answer a hot read, or parse what came."""
        is_quiet = self._is_quiet()
        answer = self._find(data, self.server_state.default_headers, self.peer) if is_quiet else None
        if answer is not None:
            self.send_ready(answer)
        elif not (is_quiet and self._park(data, self)):
            super().data_received(data)


def _read_block(text: bytes) -> WaitHeaders | None:
    """Return what header lines ask for; None when there is anything unusual about them."""
    found: dict[bytes, bytes] = {}
    for line in text.split(b"\r\n"):
        match = _LINE.fullmatch(line)
        name = match[1].lower() if match else b""
        if match is None or name not in _HARMLESS or name in found:
            return None
        found[name] = match[2]
    tag, host = found.get(b"if-none-match"), found.get(b"host")
    is_kept_alive = found.get(b"connection", b"keep-alive").lower() == b"keep-alive"
    if host is None or not is_kept_alive or not (tag is None or ONE_TAG.fullmatch(tag)):
        return None
    return WaitHeaders(
        host, found.get(b"authorization"), found.get(b"accept"), tag, found.get(b"last-event-id")
    )
