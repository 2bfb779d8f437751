"""A server in memory, for tests of applications that read their config and follow it."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from configsvc.client import Answer, AsyncClient, Client, LiveOptions, NoAnswer, Request, Retries

_CONFIGS = "/api/v1/configs/"
_REJECTIONS = "/-/rejections"
_WATCH = "/api/v1/watch"
_PLAYED = {"GET": ("min_revision",), "PUT": ("message",)}
"""Parameters that are taken; the newest version is always there."""
_EVENTS = {"content-type": "text/event-stream"}
_AT_ONCE = LiveOptions(cache_dir=None, first_delay_s=0.005, max_delay_s=0.02)
_QUICKLY = Retries(attempts=2, first_delay_s=0.005, max_delay_s=0.02)

Hear = Callable[[bytes | None], None]
"""Takes the bytes of an event, or None for a connection that breaks."""


@dataclass(frozen=True, slots=True)
class _Version:
    value: object
    version: int
    revision: int
    is_deleted: bool = False


class FakeServer:
    """Plays the reads, the puts and the watch of a server.  May be used by many threads.

    Reads are of newest versions, puts of whole documents as JSON, with their conditions; no gate judges them.
    What else is asked for is answered 501, and not passed over.

    `requests` has the method and the path of all that was asked; `rejections` has what clients told of
    versions that they did not adopt, as the server's API has it, and the `service`.
    """

    url = "http://fake"

    def __init__(self, configs: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.requests: list[tuple[str, str]] = []
        self.rejections: list[dict[str, Any]] = []
        self.revision = 1
        self._configs: dict[str, _Version] = {}
        self._listeners: list[tuple[Request, Hear]] = []
        self._is_up = True
        self._lock = threading.RLock()  # guards all of the above
        for service, value in (configs or {}).items():
            self.put(service, value)

    def client(self, *, live: LiveOptions = _AT_ONCE) -> Client:
        """Return a client of this server, with short pauses and no copies on disk."""
        return Client(self.url, transport=FakeServerTransport(self), retries=_QUICKLY, live=live)

    def async_client(self, *, live: LiveOptions = _AT_ONCE) -> AsyncClient:
        """Return a client of this server for coroutines."""
        return AsyncClient(self.url, transport=AsyncFakeServerTransport(self), retries=_QUICKLY, live=live)

    def put(self, service: str, value: Mapping[str, Any]) -> int:
        """Write a version and return its number; who watches is told."""
        return self._write(service, json.loads(json.dumps(value)), is_deleted=False)

    def delete(self, service: str) -> int:
        """Delete a service and return the number of the version that this is; who watches is told."""
        return self._write(service, None, is_deleted=True)

    def go_down(self) -> None:
        """Answer nothing, and break the watches."""
        with self._lock:
            self._is_up = False
            self.cut()

    def come_up(self) -> None:
        """Answer again."""
        with self._lock:
            self._is_up = True

    def restore(self, configs: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin another history, as a server does whose repository is one of a backup."""
        with self._lock:
            self.cut()
            self.revision = 1
            self._configs = {}
            for service, value in configs.items():
                self.put(service, value)

    def cut(self) -> None:
        """Break the watches, and answer as before."""
        with self._lock:
            broken, self._listeners = self._listeners, []
            for _, hear in broken:
                hear(None)

    @property
    def watches(self) -> int:
        """How many watches there are."""
        return len(self._listeners)

    def answer(self, request: Request) -> Answer:
        """Return the answer to anything but a watch.

        Raises:
            NoAnswer: The server is down.
        """
        with self._lock:
            self._note(request)
            if request.method == "POST" and request.path.endswith(_REJECTIONS):
                service = unquote(request.path.removeprefix(_CONFIGS).removesuffix(_REJECTIONS))
                self.rejections.append({"service": service, **json.loads(request.body)})
                return Answer(204, {"config-revision": str(self.revision)})
            if not request.path.startswith(_CONFIGS) or request.method not in ("GET", "PUT"):
                what = f"{request.method} {request.path}"
                return _problem(501, f"{what}: not played by FakeServer (expected: GET or PUT of a config)")
            service, unplayed = unquote(request.path.removeprefix(_CONFIGS)), _unplayed(request)
            if unplayed:
                what = f"{request.method} with {unplayed}"
                return _problem(
                    501, f"{what}: not played by FakeServer (expected: a real server, see RunningServer)"
                )
            return self._put(service, request) if request.method == "PUT" else self._read(service, request)

    def listen(self, request: Request, hear: Hear) -> Answer:
        """Begin a watch if the answer is 200: `hear` is told what comes.

        Raises:
            NoAnswer: The server is down.
        """
        with self._lock:
            self._note(request)
            since = int(str(request.params.get("since", self.revision)))
            if since > self.revision:
                return _problem(400, f"since: {since} (expected: <= {self.revision})", "request-invalid")
            self._listeners.append((request, hear))
            hear(b"retry: 5\n\n")
            missed = [each for each in self._configs.items() if each[1].revision > since]
            for service, version in sorted(missed, key=lambda each: each[1].revision):
                _tell(request, hear, service, version)
            return Answer(200, {**_EVENTS, "config-revision": str(self.revision)})

    def leave(self, hear: Hear) -> None:
        """End a watch."""
        with self._lock:
            self._listeners = [each for each in self._listeners if each[1] is not hear]

    def _note(self, request: Request) -> None:
        self.requests.append((request.method, request.path))
        if not self._is_up:
            raise NoAnswer("fake: ConnectError (expected: an answer)")

    def _write(self, service: str, value: object, *, is_deleted: bool) -> int:
        with self._lock:
            before = self._configs.get(service)
            self.revision += 1
            number = 0 if before is None else before.version + 1
            self._configs[service] = made = _Version(value, number, self.revision, is_deleted)
            for request, hear in self._listeners:
                _tell(request, hear, service, made)
            return number

    def _read(self, service: str, request: Request) -> Answer:
        found = self._configs.get(service)
        if found is None or found.is_deleted:
            return _problem(404, f"service: {service!r} does not exist", "service-not-found")
        headers = self._headers(found)
        if request.headers.get("If-None-Match") == headers["etag"]:
            return Answer(304, headers)
        return Answer(200, headers, json.dumps(found.value).encode())

    def _put(self, service: str, request: Request) -> Answer:
        try:
            value = json.loads(request.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            return _problem(400, "document: no object in JSON (expected: one)", "document-invalid")
        found = self._configs.get(service)
        known = None if found is None or found.is_deleted else found
        tag = "" if known is None else self._headers(known)["etag"]
        wanted = request.headers.get("If-Match")
        is_as_wanted = wanted is None or (known is not None and wanted in ("*", tag))
        if not is_as_wanted or (known is not None and request.headers.get("If-None-Match") == "*"):
            return _problem(
                412, f"{service}: is {tag or 'not there'} (expected: as asked)", "precondition-failed"
            )
        is_changed = known is None or known.value != value
        if is_changed:
            self.put(service, value)
        return self._written(service, is_created=known is None, is_changed=is_changed)

    def _written(self, service: str, *, is_created: bool, is_changed: bool) -> Answer:
        found = self._configs[service]
        headers = self._headers(found)
        told = {
            "service": service,
            "version": found.version,
            "revision": found.revision,
            "commit_id": f"{found.revision:040x}",
            "etag": headers["etag"],
            "format": "json",
            "changed": is_changed,
        }
        return Answer(201 if is_created else 200, headers, json.dumps(told).encode())

    def _headers(self, found: _Version) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "config-version": str(found.version),
            "config-revision": str(self.revision),
            "etag": f'"{found.version}-{found.revision:016x}-json"',
        }


class FakeServerTransport:
    """What a client of a FakeServer sends by."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    def send(self, base_url: str, request: Request) -> Answer:
        """Return the server's answer."""
        return self._server.answer(request)

    def stream(self, base_url: str, request: Request) -> _Stream:
        """Return a watch."""
        return _Stream(self._server, request)

    def renew(self) -> None:
        """Do nothing: the server is in this process, too."""

    def close(self) -> None:
        """Do nothing: there is no connection."""


class _Stream:
    def __init__(self, server: FakeServer, request: Request) -> None:
        self._server = server
        self._heard: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._hear = self._heard.put
        answer = server.listen(request, self._hear)
        self.status, self.headers = answer.status, answer.headers
        if answer.status != 200:
            self._heard.put(answer.body)
            self._heard.put(b"")

    def read(self) -> bytes:
        """Return what comes next."""
        return _sound(self._heard.get())

    def interrupt(self) -> None:
        """Let go who reads."""
        self._heard.put(b"")

    def disown(self) -> None:
        """Leave it to the parent."""

    def close(self) -> None:
        """Hear no more."""
        self._server.leave(self._hear)


class AsyncFakeServerTransport:
    """The same for AsyncClient."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def send(self, base_url: str, request: Request) -> Answer:
        """Return the server's answer."""
        return self._server.answer(request)

    async def stream(self, base_url: str, request: Request) -> _AsyncStream:
        """Return a watch."""
        return _AsyncStream(self._server, request)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class _AsyncStream:
    def __init__(self, server: FakeServer, request: Request) -> None:
        self._server = server
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def hear(data: bytes | None) -> None:
            loop.call_soon_threadsafe(self._heard.put_nowait, data)

        self._hear = hear
        answer = server.listen(request, hear)
        self.status, self.headers = answer.status, answer.headers
        if answer.status != 200:
            self._heard.put_nowait(answer.body)
            self._heard.put_nowait(b"")

    async def read(self) -> bytes:
        """Return what comes next."""
        return _sound(await self._heard.get())

    async def close(self) -> None:
        """Hear no more."""
        self._server.leave(self._hear)


def _sound(data: bytes | None) -> bytes:
    if data is None:
        raise NoAnswer("fake: ReadError (expected: an answer)")
    return data


def _tell(request: Request, hear: Hear, service: str, made: _Version) -> None:
    named = request.params.get("service", ())
    prefix = str(request.params.get("prefix", ""))
    if service not in named if named else not service.startswith(prefix):
        return
    told = {
        "revision": made.revision,
        "services": [{"service": service, "version": made.version, "deleted": made.is_deleted}],
    }
    hear(f"id: {made.revision}\nevent: change\ndata: {json.dumps(told)}\n\n".encode())


def _unplayed(request: Request) -> str:
    """Return what a request asks for that is not played here; empty when all of it is."""
    if "/-/" in request.path:
        return request.path.partition("/-/")[2]
    for name in request.params:
        if name not in _PLAYED[request.method]:
            return name
    name = "Accept" if request.method == "GET" else "Content-Type"
    kind = request.headers.get(name, "application/json")
    return "" if "application/json" in kind else f"{name}: {kind}"


def _problem(status: int, detail: str, code: str = "internal") -> Answer:
    return Answer(status, {}, json.dumps({"status": status, "code": code, "detail": detail}).encode())
