"""The door: a Unix socket by which commands on this machine reach the server that holds the repository.

One request a connection: a line of JSON in, a line of JSON out.  The socket is for the
server's own user and root; the kernel tells who is asking, so nothing the
client says about itself is believed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pwd
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from configsvc.core.changes import Author
from configsvc.core.errors import ConfigError, RequestInvalid, Unavailable
from configsvc.store.repository import own_folder

MAX_REQUEST_BYTES = 1 << 20
REQUEST_TIMEOUT_S = 120.0
_SOCKET = "door.sock"
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid

Answer = Callable[[Mapping[str, object], Author], Mapping[str, object]]
"""Does what a request asks on behalf of its author; raises `ConfigError` to refuse."""

logger = logging.getLogger(__name__)


class DoorRefused(ConfigError):
    """The server refused what was asked; code and details are its own."""

    def __init__(self, code: str, message: str, details: list[Mapping[str, object]]) -> None:
        super().__init__(message, details)
        self.refused_code = code


class Door:
    """Listens on the repository's socket until it is closed."""

    def __init__(self, git_dir: Path, answers: Mapping[str, Answer]) -> None:
        path = own_folder(git_dir) / _SOCKET
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # the repository's lock is held, so nobody listens on it
        self._path = path
        old_mask = os.umask(0o177)
        try:
            with _near(path) as address:
                self._server = _Server(address, _handler(answers))
        finally:
            os.umask(old_mask)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="configsvc-door",
            daemon=True,
        )
        self._thread.start()

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


def ask_door(git_dir: Path, request: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return what the server of this repository answers; None when no server runs.

    Raises:
        DoorRefused: The server refused.
        Unavailable: It did not answer in words.
    """
    path = own_folder(git_dir) / _SOCKET
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(REQUEST_TIMEOUT_S)
        try:
            with _near(path) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror} (expected: to reach the server there)") from error
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline())
        except (OSError, ValueError) as error:
            raise Unavailable(f"{path}: no answer from the server: {error}") from error
    if "error" in answer:
        raise DoorRefused(answer["error"], answer["message"], answer.get("details", []))
    return dict(answer)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def _handler(answers: Mapping[str, Answer]) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def handle(self) -> None:
            try:
                answer = self._answer()
            except ConfigError as error:
                answer = {"error": error.code, "message": error.message, "details": list(error.details)}
            except Exception:
                logger.exception("door: a request failed")
                answer = {"error": "internal", "message": "internal error; see the server's log"}
            with contextlib.suppress(OSError):
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        def _answer(self) -> Mapping[str, object]:
            author = _peer(self.connection)
            line = self.rfile.readline(MAX_REQUEST_BYTES + 1)
            if not line.endswith(b"\n"):
                raise RequestInvalid(
                    f"door: request of {len(line)} bytes (expected: a line of <= {MAX_REQUEST_BYTES})"
                )
            try:
                request = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RequestInvalid("door: request is not JSON") from error
            answer = answers.get(str(request.get("do"))) if isinstance(request, dict) else None
            if answer is None:
                raise RequestInvalid(f"door: unknown request (expected: one of {', '.join(answers)})")
            return answer(request, author)

    return Handler


def _peer(connection: socket.socket) -> Author:
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(data)
    if uid not in (0, os.geteuid()):
        raise RequestInvalid(f"door: user {uid} may not use it (expected: {os.geteuid()} or root)")
    return unix_author(uid)


def unix_author(uid: int) -> Author:
    """Return the author that a Unix user is."""
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return Author(f"uid {uid}", f"uid-{uid}@localhost")
    return Author(account.pw_gecos.partition(",")[0] or account.pw_name, f"{account.pw_name}@localhost")


@contextlib.contextmanager
def _near(path: Path):  # type: ignore[no-untyped-def]
    """Give an address for a socket that fits into the 108 bytes of unix(7), however deep its folder."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
