"""The version index on disk: a cache that saves reading the whole history at start.

    magic | length of header | header (JSON) | arrays | SHA-256 of all before

The header names the commit it describes; whether that commit is still on
main's first-parent chain is for the caller to find out.  Anything odd about
the file means it is not used: it is rebuilt from git.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from array import array
from pathlib import Path

from configsvc.store.disk import Disk
from configsvc.store.versions import ServiceHistory, VersionIndex

_MAGIC = b"configsvc-versions-1\n"
_DIGEST_BYTES = 32


class VersionFileInvalid(Exception):
    """The file is not one that this version of the program wrote whole."""


def save_versions(index: VersionIndex, path: Path) -> None:
    """Write `index` to `path`, whole or not at all.

    Raises:
        OSError: The disk refused; the old file is still there.
    """
    histories = list(index.services.values())
    header = {
        "byteorder_check": array("I", [1]).tobytes().hex(),
        "services": [[h.service, len(h.revisions), h.births] for h in histories],
        "authors": index.authors,
        "other_files": [[name, len(numbers)] for name, numbers in index.other_files.items()],
        "hidden": {service: blob_id.hex() for service, blob_id in index.hidden.items()},
        "revision": index.revision,
        "blob_bytes": len(index.blobs),
    }
    encoded = json.dumps(header).encode()
    revisions, slots, numbers = array("I"), array("I"), array("I")
    for history in histories:
        revisions += history.revisions
        slots += history.slots
    for other in index.other_files.values():
        numbers += other
    flat = (index.times, index.author_numbers, index.counts, revisions, slots, numbers)
    body = b"".join(
        (
            _MAGIC,
            struct.pack(">I", len(encoded)),
            encoded,
            bytes(index.commits),
            bytes(index.blobs),
            *(part.tobytes() for part in flat),
        )
    )
    temporary = path.with_name(path.name + f".{os.getpid()}.tmp")
    disk = Disk(durable=False)
    try:
        disk.write(temporary, body + hashlib.sha256(body).digest())
        disk.rename(temporary, path)
    except BaseException:
        disk.discard(temporary)
        raise


def load_versions(path: Path) -> VersionIndex:
    """Return the index that `path` holds.

    Raises:
        VersionFileInvalid: Missing, damaged, or of another program version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VersionFileInvalid(f"{path.name}: {error.strerror}") from error
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        raise VersionFileInvalid(f"{path.name}: damaged, or of another version")
    try:
        return _decode(body)
    except (ValueError, KeyError, TypeError, struct.error, EOFError) as error:
        raise VersionFileInvalid(f"{path.name}: {error}") from error


class _Cursor:
    """Takes pieces off the front of the file."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._place = len(_MAGIC)

    def take(self, size: int) -> bytes:
        piece = self._body[self._place : self._place + size]
        if len(piece) != size:
            raise EOFError("cut short")
        self._place += size
        return piece

    def numbers(self, typecode: str, count: int) -> array[int]:
        numbers: array[int] = array(typecode)
        numbers.frombytes(self.take(count * numbers.itemsize))
        return numbers


def _decode(body: bytes) -> VersionIndex:
    cursor = _Cursor(body)
    (size,) = struct.unpack(">I", cursor.take(4))
    header = json.loads(cursor.take(size))
    if header["byteorder_check"] != array("I", [1]).tobytes().hex():
        raise ValueError("written on a machine of another byte order")
    index = VersionIndex()
    revision = int(header["revision"])
    index.commits += cursor.take(revision * 20)
    index.blobs += cursor.take(int(header["blob_bytes"]))
    index.times = cursor.numbers("q", revision)
    index.author_numbers = cursor.numbers("I", revision)
    index.counts = cursor.numbers("I", revision)
    total = sum(count for _, count, _ in header["services"])
    revisions, slots = cursor.numbers("I", total), cursor.numbers("I", total)
    place = 0
    for ordinal, (service, count, births) in enumerate(header["services"], start=1):
        end = place + count
        index.services[service] = ServiceHistory(
            service, ordinal, revisions[place:end], slots[place:end], births
        )
        place = end
    for name, count in header["other_files"]:
        index.other_files[name] = cursor.numbers("I", count)
    index.hidden = {service: bytes.fromhex(blob_id) for service, blob_id in header["hidden"].items()}
    index.authors = list(header["authors"])
    index.restore_lookups()
    return index
