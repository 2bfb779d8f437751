"""Hot reads answered as they come off the network, before the request is parsed as HTTP.

Only what is one whole request, of a head that can have one meaning, on a connection where nothing
else is under way, is answered here.  All else goes on to the parser, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from configsvc.access.rates import RateLimits
from configsvc.api import headers
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.hot_requests import ONE_TAG, HotRequest
from configsvc.edge.protocol import EdgeProtocol

MAX_HEAD_BYTES = 2048
MAX_BODY_BYTES = 64 << 10
"""A larger body goes the way that counts how long the client leaves it unread."""
MAX_BLOCKS = 4096
"""Header blocks whose meaning is remembered; all are read again when there are more."""

_LINE = re.compile(rb"([A-Za-z-]+): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
_HARMLESS = frozenset(
    (
        *(b"accept", b"accept-encoding", b"accept-language", b"authorization", b"cache-control"),
        *(b"connection", b"host", b"if-none-match", b"pragma", b"traceparent", b"tracestate", b"user-agent"),
    )
)
_REVISION = headers.REVISION.lower().encode("ascii")


@dataclass(frozen=True, slots=True)
class _Block:
    """What the headers of a request ask for; see `HotRequest`."""

    host: bytes
    authorization: bytes | None
    accept: bytes | None
    tag: bytes | None


class Wire:
    """Finds the whole answer to a whole request among what `hot` keeps.  Used by the event loop only.

    Args:
        rates: Count what is answered here, by the address of the peer; None: nobody is limited.
    """

    def __init__(self, hot: HotAnswerer, *, rates: RateLimits | None = None) -> None:
        self._hot = hot
        self._rates = rates
        self._blocks: dict[bytes, _Block | None] = {}
        self._default: object = None
        self._default_lines = b""

    def find(self, data: bytes, default_headers: list[tuple[bytes, bytes]], peer: str = "") -> bytes | None:
        """Return the answer to the request that `data` is; None when it is not for here.

        Args:
            default_headers: That the server adds to every answer; another list when they change.
            peer: Address that the connection comes from.
        """
        end = data.find(b"\r\n")
        words = data[:end].split(b" ")
        if len(data) > MAX_HEAD_BYTES or data.find(b"\r\n\r\n") != len(data) - 4 or len(words) != 3:
            return None
        method, target, version = words
        if version != b"HTTP/1.1" or method not in (b"GET", b"HEAD"):
            return None
        block = self._block(data[end + 2 : -4])
        if block is None:
            return None
        request = HotRequest(
            target.replace(b"%2F", b"/"), block.host, block.authorization, block.accept, block.tag
        )
        return self._answer(request, default_headers, peer, is_head=method == b"HEAD")

    def _answer(
        self, request: HotRequest, default_headers: list[tuple[bytes, bytes]], peer: str, *, is_head: bool
    ) -> bytes | None:
        read = self._hot.find_kept(request)
        if read is None or len(read.body) > MAX_BODY_BYTES:
            return None
        # Last, since who counts a request must answer it; one too many is refused behind the parser.
        if self._rates is not None and not self._rates.admits(peer, request.authorization):
            return None
        if default_headers is not self._default:
            self._default = default_headers
            self._default_lines = b"".join(b"%s: %s\r\n" % pair for pair in default_headers)
        revision = b"%s: %d\r\n" % (_REVISION, read.revision)
        if request.tag == read.tag:
            self._hot.note_wire(request.target, is_head=is_head, status=304)
            return b"".join((b"HTTP/1.1 304 Not Modified\r\n", self._default_lines, revision, read.lines))
        self._hot.note_wire(request.target, is_head=is_head, status=200)
        body = b"" if is_head else read.body
        ok = b"HTTP/1.1 200 OK\r\n"
        return b"".join((ok, self._default_lines, revision, read.body_lines, read.lines, body))

    def _block(self, text: bytes) -> _Block | None:
        if text in self._blocks:
            return self._blocks[text]
        if len(self._blocks) >= MAX_BLOCKS:
            self._blocks.clear()
        block = self._blocks[text] = _read_block(text)
        return block


class WireProtocol(EdgeProtocol):
    """One connection, whose hot reads are answered by `wire`."""

    def __init__(self, *args: Any, wire: Wire, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = wire

    def data_received(self, data: bytes) -> None:
        """Answer a hot read, or parse what came."""
        answer = None
        if self._is_quiet():
            peer = self.client[0] if self.client else ""
            answer = self._wire.find(data, self.server_state.default_headers, peer)
        if answer is None:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        self._first_deadline.stop()
        self._head_deadline.stop()
        self.transport.write(answer)
        self.server_state.total_requests += 1
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _is_quiet(self) -> bool:
        """Return whether nothing is under way here, and the client reads what it is sent."""
        is_open = self._is_head_open or self._is_body_open or self._is_answering() or bool(self.pipeline)
        is_over = self._refusal is not None or self.transport.is_closing()
        return not (is_open or is_over or self.flow.write_paused)


def _read_block(text: bytes) -> _Block | None:
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
    return _Block(host, found.get(b"authorization"), found.get(b"accept"), tag)
