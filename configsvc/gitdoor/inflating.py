"""Request bodies as git clients send them: plain or gzip'ed, read as they come."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from werkzeug.exceptions import RequestTimeout

from configsvc.core.errors import MediaTypeUnsupported, RequestInvalid, RequestTooLarge

CHUNK_BYTES = 64 << 10
_GZIP = 16 + zlib.MAX_WBITS


def read_chunks(body: BinaryIO, encoding: str, *, max_bytes: int) -> Iterator[bytes]:
    """Yield a request body, unpacked, in chunks.

    Args:
        encoding: Content-Encoding as sent; empty for none.
        max_bytes: Largest body, unpacked.

    Raises:
        MediaTypeUnsupported: The encoding is not known.
        RequestInvalid: The body is not what its encoding says, or cut short.
        RequestTimeout: It does not come.
        RequestTooLarge: There is more of it.
    """
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise MediaTypeUnsupported(f"Content-Encoding: {encoding[:40]!a} (expected: gzip)")
    total = 0
    for chunk in _unpacked(body) if encoding.endswith("gzip") else _plain(body):
        total += len(chunk)
        if total > max_bytes:
            raise RequestTooLarge(f"body: more than {max_bytes} bytes")
        yield chunk


def _plain(body: BinaryIO) -> Iterator[bytes]:
    # What is there, however little: a client that sends drop by drop is to be noticed.
    read = getattr(body, "read1", body.read)
    while chunk := _next(read):
        yield chunk


def _next(read: Callable[[int], bytes]) -> bytes:
    try:
        return read(CHUNK_BYTES)
    except ConnectionError as error:
        raise RequestInvalid("body: cut short (expected: all of it)") from error
    except TimeoutError as error:
        raise RequestTimeout("body: stopped coming") from error


def _unpacked(body: BinaryIO) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for chunk in _plain(body):
            packed = chunk
            while packed:
                if unpacker.eof:
                    raise RequestInvalid("body: goes on after the end of its gzip")
                yield unpacker.decompress(packed, CHUNK_BYTES)
                packed = unpacker.unconsumed_tail or unpacker.unused_data
        yield unpacker.flush()  # at most one match of 258 bytes
    except zlib.error as error:
        raise RequestInvalid(f"body: not gzip: {error}") from error
    if not unpacker.eof:
        raise RequestInvalid("body: its gzip is cut short")
