"""One pack and its index for a batch, synced (gitformat-pack(5), version 2).

Loose objects would cost a file, a sync and 4 KiB each; a pack costs two synced
files for any number of objects.
"""

from __future__ import annotations

import os
import struct
import zlib
from hashlib import sha1
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from configsvc.store.disk import Disk
from configsvc.store.objects import Kind, Objects

TEMPORARY = ".tmp-configsvc-"
"""How files on their way begin.  Not with git's `tmp_`, for `git gc --prune=now` removes those of others."""

_TYPES: dict[Kind, int] = {"commit": 1, "tree": 2, "blob": 3}
_FASTEST = 1
_STORED_BYTES = 4096  # what fills no block of the disk is not worth the time to compress it
_STORED = b"\x78\x01"  # zlib's header (RFC 1950) for what is not compressed
_LARGEST_BLOCK = 0xFFFF


class Pack(NamedTuple):
    """A pack as bytes, and the name git expects for it."""

    name: str
    pack_bytes: bytes
    index_bytes: bytes


def build_pack(objects: Objects) -> Pack:
    """Return the pack that holds `objects`, which must not be empty."""
    parts = [b"PACK" + struct.pack(">II", 2, len(objects))]
    start = len(parts[0])
    entries: list[tuple[bytes, int, int]] = []
    for identity, (kind, content) in objects.items():
        is_stored = kind != "blob" or len(content) <= _STORED_BYTES
        stream = _stored(content) if is_stored else zlib.compress(content, _FASTEST)
        part = _header(_TYPES[kind], len(content)) + stream
        entries.append((identity, zlib.crc32(part), start))
        parts.append(part)
        start += len(part)
    body = b"".join(parts)
    checksum = sha1(body, usedforsecurity=False).digest()
    return Pack(f"pack-{checksum.hex()}", body + checksum, _index(entries, checksum))


def write_pack(folder: Path, pack: Pack, disk: Disk) -> list[Path]:
    """Put a pack into git's `objects/pack` folder, synced, or leave nothing behind.

    The index comes last: a pack without one does not exist for git.

    Returns:
        The files that were not there before, in the order to remove them in
        should the pack come to nothing.

    Raises:
        OSError: The disk refused; what was written is removed again.
    """
    final = (folder / f"{pack.name}.pack", folder / f"{pack.name}.idx")
    # A pack written a second time after a failed sync may be in use: it stays whatever happens now.
    removable = [path for path in final if not path.exists()]
    temporary = (folder / f"{TEMPORARY}{os.getpid()}-p", folder / f"{TEMPORARY}{os.getpid()}-i")
    try:
        for path, content in zip(temporary, (pack.pack_bytes, pack.index_bytes), strict=True):
            disk.write(path, content, mode=0o444)
        for path, target in zip(temporary, final, strict=True):
            disk.rename(path, target)
        disk.sync_folder(folder)
    except BaseException:
        # The index goes first, so that git never sees an index without its pack.
        disk.discard(*reversed(removable), *temporary)
        raise
    return removable[::-1]


def _stored(content: bytes) -> bytes:
    """Return `content` as a zlib stream of stored blocks (RFC 1951, 3.2.4).

    Trees and commits are mostly ids, which do not shrink; and zlib sets up 256 KiB before the
    first byte, even to compress nothing.  Compressed, all of it would take a third of a batch's time.
    """
    checksum = zlib.adler32(content).to_bytes(4)
    if len(content) <= _LARGEST_BLOCK:
        return b"%b\x01%b%b%b" % (_STORED, _sizes(len(content)), content, checksum)
    parts = [_STORED]
    for start in range(0, len(content), _LARGEST_BLOCK):
        block = content[start : start + _LARGEST_BLOCK]
        is_last = start + _LARGEST_BLOCK >= len(content)
        parts += (b"\x01" if is_last else b"\x00", _sizes(len(block)), block)
    return b"".join([*parts, checksum])


def _sizes(block_bytes: int) -> bytes:
    return struct.pack("<HH", block_bytes, block_bytes ^ _LARGEST_BLOCK)


def _header(kind: int, size: int) -> bytes:
    out = bytearray()
    byte = (kind << 4) | (size & 0x0F)
    size >>= 4
    while size:
        out.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    out.append(byte)
    return bytes(out)


def _index(entries: list[tuple[bytes, int, int]], checksum: bytes) -> bytes:
    entries.sort()
    fanout = [0] * 256
    for identity, _, _ in entries:
        fanout[identity[0]] += 1
    count = len(entries)
    body = b"".join(
        (
            b"\xfftOc" + struct.pack(">I", 2),
            struct.pack(">256I", *accumulate(fanout)),
            b"".join(identity for identity, _, _ in entries),
            struct.pack(f">{count}I", *(crc for _, crc, _ in entries)),
            struct.pack(f">{count}I", *(start for _, _, start in entries)),
            checksum,
        )
    )
    return body + sha1(body, usedforsecurity=False).digest()
