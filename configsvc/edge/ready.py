"""Kept reads as the whole bytes of an answer, for who writes to the network without ASGI."""

from __future__ import annotations

from configsvc.access.rates import RateLimits
from configsvc.api import headers
from configsvc.api.access_log import AccessLine
from configsvc.core.principals import NEVER_S
from configsvc.edge.asgi_types import RawHeaders, header_lines
from configsvc.edge.epochs import NEVER, Epochs
from configsvc.edge.hot import HotRead
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.hot_requests import find_request, is_hot_target
from configsvc.edge.known import Decided, KnownRequests
from configsvc.edge.tally import Tally
from configsvc.store.base import Snapshot

MAX_BODY_BYTES = 64 << 10
"""A larger body goes the way that counts how long the client leaves it unread."""
MAX_HEAD_BYTES = 4096
"""A request with a larger head goes through ASGI."""
BYTES_BESIDE_HEADER = 128
"""The same of each header that was parsed."""

_LEFT_TO_ASGI = (b"upgrade", b"x-forwarded-for")
_REVISION = headers.REVISION.lower().encode("ascii")


class ReadyAnswers:
    """Answers plain reads with what `hot` keeps.  Used by the event loop only.

    Args:
        max_bytes: See `KnownRequests`.
        rates: Count what is answered here, by the address of the peer; None: nobody is limited.
    """

    def __init__(self, hot: HotAnswerer, max_bytes: int, *, rates: RateLimits | None = None) -> None:
        self._rates = rates
        self.known = KnownRequests(max_bytes)
        self._hot = hot
        self._newest = hot.newest
        self._now_s = hot.now_s
        self._tally = Tally(hot)
        self.epochs = Epochs()
        self._begun = NEVER
        self._default_headers: RawHeaders = []
        self._ok = b""
        self._unchanged = b""

    def recall(self, method: bytes, target: bytes, sent: RawHeaders) -> Decided | None:
        """Return what is known of a request; None when it is no plain read, or has anything unusual about it.

        Args:
            target: As it was sent.
            sent: All its headers, with lower-case names.
        """
        if method not in (b"GET", b"HEAD") or not is_hot_target(target):
            return None
        key = (method, target, *sent)
        known = self.known.find(key)
        if known is not None:
            return known
        request = find_request(target, sent)
        size = sum(len(name) + len(value) + BYTES_BESIDE_HEADER for name, value in sent)
        is_odd = any(name in _LEFT_TO_ASGI for name, _ in sent)
        if request is None or size > MAX_HEAD_BYTES or is_odd:
            return None
        decided = Decided(request, is_head=method == b"HEAD")
        self.known.keep(key, size, decided)
        return decided

    def answer(self, decided: Decided, default_headers: RawHeaders, peer: str) -> bytes | None:
        """Return the whole answer, and count it; None when it is not for here.

        Args:
            default_headers: That the server adds to every answer; another list when they change.
            peer: Address that the connection comes from.
        """
        answer = self.render(decided, default_headers)
        # Last, since who counts a request must answer it; one too many is refused behind the parser.
        if answer is None or not self.admits(peer, decided.request.authorization):
            return None
        self._tally.count(decided)
        return answer

    def admits(self, peer: str, authorization: bytes | None) -> bool:
        """Return whether the rates take a request, and count it if so."""
        return self._rates is None or self._rates.admits(peer, authorization)

    def render(self, decided: Decided, default_headers: RawHeaders) -> bytes | None:
        """Return the whole answer; None when it is not for here.  What was asked is counted elsewhere."""
        snapshot, read = self._newest(), decided.read
        epoch = self.epochs.of(snapshot)
        is_decided = decided.epoch == epoch and read is not None and read.is_kept
        is_good = decided.ends_at_s == NEVER_S or decided.ends_at_s > self._now_s()
        if not (is_decided and is_good):
            read = self._decide(decided, snapshot, epoch)
        if read is None:
            return None
        if epoch != self._begun or default_headers is not self._default_headers:
            self._begin(snapshot, epoch, default_headers)
        if decided.status == 304:
            return self._unchanged + read.known_text
        return self._ok + (read.head_text if decided.is_head else read.text)

    def _decide(self, decided: Decided, snapshot: Snapshot, epoch: int) -> HotRead | None:
        """Return what a request is answered with, and note how; None when it is not for here."""
        request = decided.request
        read = self._hot.find_kept(request, snapshot)
        is_for_here = read is not None and read.body_size <= MAX_BODY_BYTES
        decided.read, decided.epoch = (read, epoch) if is_for_here else (None, NEVER)
        if decided.read is None:
            return None
        status = 304 if request.tag == decided.read.tag else 200
        if status != decided.status:
            if decided.answered:
                self._tally.tell()  # what was answered so far was answered otherwise
            method = "HEAD" if decided.is_head else "GET"
            decided.status, decided.line = status, AccessLine(method, request.target.decode("ascii"), status)
        decided.ends_at_s = self._hot.ends_at_s(request)
        return decided.read

    def _begin(self, snapshot: Snapshot, epoch: int, default_headers: RawHeaders) -> None:
        """Make anew how answers begin: with what changes by the second and by the commit."""
        self._begun, self._default_headers = epoch, default_headers
        lines = header_lines([*default_headers, (_REVISION, b"%d" % snapshot.revision)])
        self._ok = b"HTTP/1.1 200 OK\r\n" + lines
        self._unchanged = b"HTTP/1.1 304 Not Modified\r\n" + lines
