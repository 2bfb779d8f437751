"""What receive-pack answers, with a reason where it has none (gitprotocol-pack(5), "Reporting status")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

_LENGTH = re.compile(rb"[0-9a-f]{4}")
_FAILED = re.compile(rb"unpack (?!ok\n)")
_DATA, _MESSAGE = b"\x01", b"\x02"


def explained(chunks: Iterable[bytes], find_reason: Callable[[], str]) -> Iterator[bytes]:
    """Yield an answer of receive-pack's; where it says that objects were not taken, say why.

    Args:
        find_reason: Returns a line without its end; empty to leave git's own words.
    """
    for line in packets(chunks):
        content = line[4:]
        if content.startswith(_DATA) and _FAILED.match(content, 5):
            reason = find_reason()
            if reason:
                yield packet(_MESSAGE + reason.encode() + b"\n")
        elif _FAILED.match(content):
            reason = find_reason()
            if reason:
                yield packet(b"unpack " + reason.encode() + b"\n")
                continue
        yield line


def packets(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield packets with their lengths; what are none, as it comes."""
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        while len(rest) >= 4 and _LENGTH.match(rest):
            length = max(4, int(rest[:4], 16))  # 0000, a flush, is all that there is of it
            if len(rest) < length:
                break
            yield bytes(rest[:length])
            del rest[:length]
        if len(rest) >= 4 and not _LENGTH.match(rest):
            yield bytes(rest)
            rest.clear()
    if rest:
        yield bytes(rest)


def packet(content: bytes) -> bytes:
    """Return content with its length in front (gitprotocol-common(5), "pkt-line Format")."""
    return b"%04x" % (len(content) + 4) + content
