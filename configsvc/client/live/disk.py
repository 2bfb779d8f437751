"""The last good copy of each config on disk, for a start without a server.

A copy belongs to one service on one server, and says so inside; one that is torn, of another server, or
that others could have written is not used. It may hold secrets: only its owner can read it. What fails
here is logged and changes nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from configsvc.client.results import Document

_log = logging.getLogger("configsvc.client")

FORMAT = 1
MAX_COPY_BYTES = 64 * 1024 * 1024
LEFT_OVER_AFTER_S = 3600.0
"""Age of a temporary file after which the process that made it is dead, in seconds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy that was found.

    Args:
        age_s: Since it was last known to be the newest version, in seconds.
    """

    document: Document
    age_s: float


def server_name(urls: Sequence[str]) -> str:
    """Return what a copy calls the server: its URLs, without passwords."""
    parts = [urlsplit(url) for url in urls]
    return " ".join(sorted(f"{part.scheme}://{part.netloc.rpartition('@')[2]}{part.path}" for part in parts))


class LastGood:
    """The copies of one server's configs.

    Args:
        folder: Where they are; made when the first one is kept.
        clock: Seconds since the epoch of Unix.
    """

    def __init__(self, folder: Path, server: str, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder / hashlib.sha256(server.encode()).hexdigest()[:16]
        self._server = server
        self._clock = clock
        self._is_swept = False
        self._failing = ""

    def path(self, service: str) -> Path:
        """Return the file of a service's copy."""
        return self._folder / f"{quote(service, safe='')}.json"

    def save(self, document: Document) -> bool:
        """Keep a document in place of the one before; return whether that was possible."""
        record = {"format": FORMAT, "server": self._server, **_told(document)}
        # Escaped: a string of a server that is none of ours may have half a surrogate pair in it.
        data = json.dumps({"sha256": _digest(record), **record}).encode()
        try:
            self._write(self.path(document.service), data)
        except OSError as error:
            self._failed(document.service, error)
            return False
        self._failing = ""
        return True

    def confirm(self, services: Iterable[str]) -> None:
        """Note that the copies of these are the newest version now."""
        now_s = self._clock()
        for service in services:
            with contextlib.suppress(OSError):  # there may be none; the age it tells is then that of before
                os.utime(self.path(service), (now_s, now_s))

    def find(self, service: str) -> Kept | None:
        """Return the copy of a service, None when there is none that can be trusted."""
        try:
            data, modified_s = _read(self.path(service))
        except FileNotFoundError:
            return None
        except (OSError, _Untrusted) as error:
            _log.warning("%s: the copy on disk is not used: %s", service, error)
            return None
        document = self._document(service, data)
        if document is None:
            _log.warning("%s: the copy on disk is not used: it is torn, or of another server", service)
            return None
        return Kept(document, max(0.0, self._clock() - modified_s))

    def _document(self, service: str, data: bytes) -> Document | None:
        try:
            record: dict[str, Any] = json.loads(data)
            digest = record.pop("sha256")
            is_whole = digest == _digest(record) and record["format"] == FORMAT
            if not is_whole or (record["server"], record["service"]) != (self._server, service):
                return None
            return Document(service, record["value"], record["version"], record["revision"], record["etag"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        temporary = self._folder / f".{os.getpid()}-{secrets.token_hex(8)}.tmp"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def _sweep(self) -> None:
        """Delete what processes that were killed left behind."""
        if self._is_swept:
            return
        self._is_swept = True
        for path in self._folder.glob(".*.tmp"):
            with contextlib.suppress(OSError):
                if self._clock() - path.stat().st_mtime > LEFT_OVER_AFTER_S:
                    path.unlink()

    def _failed(self, service: str, error: OSError) -> None:
        # A disk stays full for a while; that is told once.
        if self._failing != str(error.errno):
            self._failing = str(error.errno)
            _log.warning(
                "%s: no copy is kept in %s: %s (the config itself is not concerned)",
                service,
                self._folder,
                os.strerror(error.errno or 0),
            )


class _Untrusted(Exception):
    pass


def _read(path: Path) -> tuple[bytes, float]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_COPY_BYTES:
            raise _Untrusted(f"no plain file of at most {MAX_COPY_BYTES} bytes")
        if found.st_uid != os.geteuid():
            raise _Untrusted(f"owner {found.st_uid} (expected: {os.geteuid()})")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise _Untrusted(f"mode {stat.S_IMODE(found.st_mode):04o} (expected: 0600)")
        return file.read(), found.st_mtime


def _told(document: Document) -> dict[str, object]:
    return {
        "service": document.service,
        "version": document.version,
        "revision": document.revision,
        "etag": document.etag,
        "value": document.value,
    }


def _digest(record: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
