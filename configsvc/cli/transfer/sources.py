"""Documents to import, out of a folder or a tar archive.

Nothing of an archive is written to disk: its documents are read into memory, and their paths only serve
as names of services.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from configsvc.cli.target.protocol import NewDocument
from configsvc.core.errors import DocumentInvalid, RequestInvalid
from configsvc.core.names import find_document, parse_service

MAX_DOCUMENT_BYTES = 64 << 20
"""Largest document that is read; a server takes less."""
MAX_TOTAL_BYTES = 512 << 20
"""Most that all documents may have together, and an archive when it is unpacked, whatever is in it."""
MAX_FILES = 200_000
_ENDINGS = (".json", ".yaml", ".yml")
_GZIP = b"\x1f\x8b"


def read_source(path: str, *, strip: int = 0) -> list[NewDocument]:
    """Return the documents of a folder or of a tar archive, sorted by service.

    Files with other endings, and what is in folders whose name begins with a dot, are passed over.

    Args:
        path: `-` for an archive on standard input.
        strip: How many folders are taken off the front of each path.

    Raises:
        RequestInvalid: It cannot be read, is over a bound, or has one service twice.
        NameInvalid: A file has the ending of a document, and a name that is none of a service.
        DocumentInvalid: A document is no UTF-8.
    """
    if not path:
        raise RequestInvalid("SOURCE: '' (expected: a folder, an archive or -)")
    files = _files_in(Path(path)) if path != "-" and Path(path).is_dir() else _files_of_archive(path)
    found: dict[str, NewDocument] = {}
    size = 0
    for name, data in files:
        size += len(data)
        if len(found) == MAX_FILES or size > MAX_TOTAL_BYTES:
            bounds = f"{MAX_FILES} documents and {MAX_TOTAL_BYTES} bytes"
            raise RequestInvalid(f"{path}: more than {bounds} (expected: fewer at a time)")
        document = _document(name, data, strip)
        if document.service in found:
            raise RequestInvalid(f"{name}: {document.service} is there twice (expected: one file)")
        found[document.service] = document
    return [found[service] for service in sorted(found)]


def _document(name: str, data: bytes, strip: int) -> NewDocument:
    parts = name.split("/")
    inner = "/".join(parts[strip:])
    if not inner:
        raise RequestInvalid(f"{name}: has {len(parts) - 1} folders (expected: {strip} to strip)")
    place = find_document(inner)
    if place is None:
        stem, _, ending = inner.rpartition(".")
        parse_service(stem)
        raise RequestInvalid(f"{name}: ends in .{ending} (expected: .yaml or .json)")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DocumentInvalid(f"{name}: byte {error.start} is not UTF-8 (expected: UTF-8)") from error
    return NewDocument(place.service, text, "json" if place.format.value == "json" else "yaml")


def _is_wanted(name: str) -> bool:
    hidden = (part.startswith(".") and part != ".." for part in name.split("/"))
    return name.endswith(_ENDINGS) and not any(hidden)


def _files_in(root: Path) -> Iterator[tuple[str, bytes]]:
    for folder, folders, files in os.walk(root, onerror=_refuse_folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for each in (*folders, *files):
            if Path(folder, each).is_symlink() and (each in folders or each.endswith(_ENDINGS)):
                raise RequestInvalid(f"{Path(folder, each)}: is a symbolic link (expected: none)")
        for each in sorted(files):
            name = Path(folder, each).relative_to(root).as_posix()
            if _is_wanted(name):
                yield name, _read_file(Path(folder, each))


def _read_file(path: Path) -> bytes:
    try:
        # A link that came in between is not followed, and a pipe not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RequestInvalid(f"{path}: is no file (expected: one)")
            data = stream.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise _refuse(str(path), error) from error
    if len(data) > MAX_DOCUMENT_BYTES:
        raise RequestInvalid(f"{path}: has more than {MAX_DOCUMENT_BYTES} bytes (expected: a document)")
    return data


def _files_of_archive(path: str) -> Iterator[tuple[str, bytes]]:
    try:
        with _opened(path) as stream, tarfile.open(fileobj=_Bounded(_unpacked(stream)), mode="r|") as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # it keeps all, and there may be a million
                name = member.name.removeprefix("./")
                if not _is_wanted(name):
                    continue
                if not member.isreg() or member.issparse():
                    raise RequestInvalid(f"{path}: {name[:200]!a} is no plain file (expected: one)")
                if member.size > MAX_DOCUMENT_BYTES:
                    raise RequestInvalid(
                        f"{path}: {name[:200]!a} has {member.size} bytes (expected: a document)"
                    )
                extracted = archive.extractfile(member)
                assert extracted is not None
                yield name, extracted.read()
    except OSError as error:
        raise _refuse(path, error) from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise RequestInvalid(
            f"{path}: cannot be read: {error} (expected: a folder, or a tar archive, plain or with gzip)"
        ) from error


def _opened(path: str) -> io.BufferedReader:
    stream = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 - who asks closes it
    assert isinstance(stream, io.BufferedReader)
    return stream


def _unpacked(stream: io.BufferedReader) -> io.BufferedIOBase:
    return gzip.GzipFile(fileobj=stream) if stream.peek(2)[:2] == _GZIP else stream


class _Bounded(io.RawIOBase):
    """Reads no more than an archive may have: a small file can unpack to any size."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._left = MAX_TOTAL_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(data)
        if self._left < 0:
            raise RequestInvalid(f"archive: more than {MAX_TOTAL_BYTES} bytes (expected: fewer at a time)")
        return data


def _refuse(path: str, error: OSError) -> RequestInvalid:
    return RequestInvalid(f"{path}: cannot be read: {error.strerror or error}")


def _refuse_folder(error: OSError) -> None:
    raise _refuse(str(error.filename), error) from error
