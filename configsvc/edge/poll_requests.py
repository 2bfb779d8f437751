"""Reads that wait, as they are asked: what one is about, in the words that all who send the same share."""

from __future__ import annotations

import re

from configsvc.api.access_log import AccessLine
from configsvc.api.v1.paths import PREFIX
from configsvc.api.v1.waiting import MAX_WAIT_S
from configsvc.core.names import is_service
from configsvc.edge.epochs import NEVER
from configsvc.edge.hot_requests import HotRequest
from configsvc.edge.known import Decided

_FOLDER = f"{PREFIX}/configs/".encode("ascii")
_TARGET = re.compile(rb"%s([a-z0-9](?:[a-z0-9._/-]|%%2F){0,199})\?wait=([1-9][0-9]?)" % re.escape(_FOLDER))


class Asked:
    """What one request asks.

    Args:
        decided: The same read without the wait.
        data: All of the request.
    """

    __slots__ = ("data", "decided", "ends_at_s", "lines", "plain", "seconds", "service", "waits_at")

    def __init__(self, service: str, seconds: int, decided: Decided, target: bytes, data: bytes) -> None:
        self.service = service
        self.seconds = seconds
        self.decided = decided
        self.data = data
        self.plain = data.replace(target, target.partition(b"?")[0], 1)
        self.lines = {status: AccessLine("GET", target.decode("ascii"), status) for status in (200, 304)}
        self.waits_at = NEVER
        """The epoch in which it was found last that there is nothing new for who asks this, and may."""
        self.ends_at_s = 0.0
        """Until when the credential is good by which that was found."""


def read_poll(target: bytes, request: HotRequest, data: bytes) -> Asked | None:
    """Return what is asked by a read that waits; None when it is none, or has anything unusual about it.

    Args:
        request: Of its headers.
    """
    match = _TARGET.fullmatch(target)
    is_plain = request.tag is not None and request.accept in (None, b"", b"*/*")
    if match is None or not is_plain or int(match[2]) > MAX_WAIT_S:
        return None
    name = match[1].replace(b"%2F", b"/")
    service = name.decode("ascii")
    if not is_service(service):
        return None
    read = HotRequest(_FOLDER + name, request.host, request.authorization, request.accept, request.tag)
    return Asked(service, int(match[2]), Decided(read, is_head=False), target, data)
