"""Where an export goes: a folder, or a tar archive.

Names come from a server, which is not trusted: each is held to the grammar of names before it becomes a path.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import secrets
import sys
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from configsvc.client import DocumentText
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import Format, document_path, parse_service

_ARCHIVES = (".tar", ".tar.gz", ".tgz")


class Destination(Protocol):
    """Takes documents, one after the other."""

    def add(self, document: DocumentText, changed_at: str) -> None:
        """Write a document.

        Args:
            changed_at: When it was changed, RFC 3339.
        """


@contextlib.contextmanager
def open_destination(path: str, *, overwrite: bool) -> Iterator[Destination]:
    """Yield where documents go; an archive is there, whole, only after all were added.

    Args:
        path: A folder; or an archive by its ending; `-` for a tar archive on standard output.
        overwrite: Take a folder that is not empty, or replace an archive.

    Raises:
        RequestInvalid: It is there already, or cannot be written.
    """
    if not path:
        raise RequestInvalid("DESTINATION: '' (expected: a folder, an archive or -)")
    try:
        if path == "-":
            with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
                yield _Archive(archive)
        elif path.endswith(_ARCHIVES):
            with _archive(Path(path), overwrite=overwrite) as destination:
                yield destination
        else:
            yield _Folder(Path(path), overwrite=overwrite)
    except OSError as error:
        raise RequestInvalid(
            f"{error.filename or path}: cannot be written: {error.strerror or error}"
        ) from error


@contextlib.contextmanager
def _archive(path: Path, *, overwrite: bool) -> Iterator[Destination]:
    if path.exists() and not overwrite:
        raise RequestInvalid(f"{path}: is there already (expected: none, or --overwrite)")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with (
            temporary.open("xb") as stream,
            _packed(stream, path) as packed,
            tarfile.open(fileobj=packed, mode="w|") as archive,
        ):
            yield _Archive(archive)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _packed(stream: io.BufferedWriter, path: Path) -> io.BufferedWriter | gzip.GzipFile:
    if path.name.endswith(".tar"):
        return stream
    return gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0)


class _Archive:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, document: DocumentText, changed_at: str) -> None:
        data = document.text.encode()
        member = tarfile.TarInfo(path_of(document))
        member.size, member.mode = len(data), 0o644
        member.mtime = datetime.fromisoformat(changed_at).timestamp()
        self._archive.addfile(member, io.BytesIO(data))


class _Folder:
    def __init__(self, root: Path, *, overwrite: bool) -> None:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()) and not overwrite:
            raise RequestInvalid(f"{root}: is not empty (expected: an empty folder, or --overwrite)")
        self._root = root.resolve()

    def add(self, document: DocumentText, changed_at: str) -> None:
        path = self._root / path_of(document)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.resolve() != path.parent:
            raise RequestInvalid(f"{path.parent}: is behind a symbolic link (expected: folders)")
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            temporary.write_bytes(document.text.encode())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        # A service has one file, in whichever format it was when the folder was written before.
        for ending in Format:
            other = self._root / document_path(document.service, ending)
            if other != path and (other.is_file() or other.is_symlink()):
                other.unlink()


def path_of(document: DocumentText) -> str:
    """Return the path of a document's file.

    Raises:
        NameInvalid: Its name is none of a service.
    """
    return document_path(parse_service(document.service), Format(document.format))
