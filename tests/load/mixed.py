"""Clients of every kind at a steady pace, in a process of their own.

    python -m tests.load.mixed < MIX > CAME      both are JSON

Applications read, watch and wait; programs write; connections come and go.  Refusals are no trouble, as
long as they say when to come again; a version that a watcher misses is.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.load.storm import Connection

ROOT = Path(__file__).resolve().parents[2]
SERVICES = 50
REQUESTS_A_CONNECTION = 100
"""Then a client hangs up and comes again."""
_WRITERS_BEFORE = 25


@dataclass(frozen=True)
class Mix:
    """What the clients do.

    Args:
        reads_per_s: Of all readers together.
        writes_per_s: Of all writers together.
        writes_before: Made as fast as may be before all the rest begins.
    """

    port: int
    seconds: float
    readers: int = 8
    reads_per_s: float = 80.0
    writers: int = 4
    writes_per_s: float = 8.0
    watchers: int = 20
    waiters: int = 20
    writes_before: int = 0


@dataclass
class Came:
    """What came of it: how often each kind was answered, and what went wrong."""

    counts: dict[str, int] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)


def service_of(number: int) -> str:
    """Return a service that is read, written and watched."""
    return f"mixed-{number % 5}/s{number}"


def start_mix(mix: Mix) -> subprocess.Popen[bytes]:
    """Return the process of clients at work; give it to `end_mix`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.load.mixed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(mix)).encode())
    process.stdin.close()
    process.stdin = None
    return process


def end_mix(process: subprocess.Popen[bytes], timeout_s: float) -> Came:
    """Return what the clients saw, once they are done."""
    output, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0
    return Came(**json.loads(output))


class Clients:
    """All clients, and what they saw."""

    def __init__(self, mix: Mix) -> None:
        self.mix = mix
        self.counts: Counter[str] = Counter()
        self.trouble: list[str] = []
        self._until_s = 0.0

    @property
    def left_s(self) -> float:
        """Seconds until they hang up."""
        return self._until_s - time.monotonic()

    async def create(self) -> None:
        """Make the services."""
        connection = Connection(self.mix.port)
        for number in range(SERVICES):
            status, _, answer = await connection.ask(
                "POST", f"/config?service={service_of(number)}", b'{"n": -1}'
            )
            assert status == 201, answer
        connection.close()

    async def write_before(self, share: int) -> None:
        """Make a share of the writes that come before the rest."""
        connection, own = Connection(self.mix.port), range(share, SERVICES, _WRITERS_BEFORE)
        for number in range(self.mix.writes_before // _WRITERS_BEFORE):
            target = f"/config?service={service_of(own[number % len(own)])}"
            status, _, answer = await connection.ask("PATCH", target, b'{"before": %d}' % number)
            assert status == 200, answer
        connection.close()

    async def read(self) -> None:
        """Read one thing or another."""
        connection, pause_s = Connection(self.mix.port), self.mix.readers / self.mix.reads_per_s
        while self.left_s > 0:
            for _ in range(REQUESTS_A_CONNECTION):
                service = service_of(random.randrange(SERVICES))
                target = random.choice(
                    (
                        f"/config?service={service}&version=0",
                        f"/api/v1/configs/{service}",
                        f"/api/v1/configs/{service}",
                        f"/api/v1/configs/{service}/-/versions?limit=10",
                        "/api/v1/configs?limit=20",
                        "/metrics",
                    )
                )
                await self._asked(connection, "read", "GET", target)
                await asyncio.sleep(min(pause_s, max(0.0, self.left_s)))
            connection.close()

    async def write(self, writer: int) -> None:
        """Write services of its own, one after the other."""
        connection, pause_s = Connection(self.mix.port), self.mix.writers / self.mix.writes_per_s
        own = [each for each in range(SERVICES) if each % self.mix.writers == writer]
        number = 0
        while self.left_s > 0:
            for _ in range(REQUESTS_A_CONNECTION):
                number += 1
                target = f"/config?service={service_of(own[number % len(own)])}"
                await self._asked(connection, "write", "PATCH", target, b'{"n": %d}' % number)
                await asyncio.sleep(min(pause_s, max(0.0, self.left_s)))
            connection.close()

    async def watch(self) -> None:
        """Watch a prefix, hang up at a random moment, and resume where it was."""
        since: int | None = None
        versions: dict[str, int] = {}
        while self.left_s > 0:
            query = "" if since is None else f"&since={since}"
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                async with asyncio.timeout(min(self.left_s, random.uniform(5, 60))):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.mix.port)
                    try:
                        line = f"GET /api/v1/watch?prefix=mixed-1{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                        writer.write(line.encode())
                        async for event in reader:
                            if event.startswith(b"data: "):
                                since = self._told(json.loads(event[6:]), versions, since)
                    finally:
                        writer.close()
            self.counts["watch"] += 1

    async def wait(self) -> None:
        """Wait for a document to change, again and again."""
        connection, number = Connection(self.mix.port), random.randrange(SERVICES)
        target = f"/api/v1/configs/{service_of(number)}"
        while self.left_s > 0:
            for _ in range(REQUESTS_A_CONNECTION):
                seconds = int(min(10, self.left_s))
                if seconds < 1:
                    return
                headers = await self._asked(connection, "read", "GET", target)
                tag = headers.get("etag", "")
                await self._asked(connection, "wait", "GET", f"{target}?wait={seconds}", tag=tag)
            connection.close()

    async def _asked(
        self, connection: Connection, kind: str, method: str, target: str, body: bytes = b"", *, tag: str = ""
    ) -> dict[str, str]:
        status, headers, answer = await connection.ask(method, target, body, tag=tag)
        self.counts[kind if status < 400 else f"{kind} {status}"] += 1
        if status >= 400 and not (status == 503 and "retry-after" in headers):
            self.trouble.append(f"{method} {target}: {status} {answer[:200]!r}")
        return headers

    def _told(self, event: dict[str, object], versions: dict[str, int], since: int | None) -> int | None:
        revision, services = event.get("revision"), event.get("services", ())
        assert isinstance(revision, int)
        assert isinstance(services, list | tuple)
        if since is not None and services and revision <= since:
            self.trouble.append(f"watch: revision {revision} after {since}")
        for each in services:
            service, version = each["service"], each["version"]
            if service in versions and version != versions[service] + 1:
                self.trouble.append(f"watch: {service} {version} after {versions[service]}")
            versions[service] = version
        self.counts["event"] += 1
        return revision

    async def run(self) -> Came:
        """Let all of them work until the time is up."""
        mix = self.mix
        await self.create()
        await asyncio.gather(*(self.write_before(each) for each in range(_WRITERS_BEFORE)))
        self._until_s = time.monotonic() + mix.seconds
        await asyncio.gather(
            *(self.read() for _ in range(mix.readers)),
            *(self.write(each) for each in range(mix.writers)),
            *(self.watch() for _ in range(mix.watchers)),
            *(self.wait() for _ in range(mix.waiters)),
        )
        return Came(dict(self.counts), self.trouble[:20])


def main() -> None:
    """Read what to do, do it, and print what came of it."""
    mix = Mix(**json.load(sys.stdin))
    json.dump(asdict(asyncio.run(Clients(mix).run())), sys.stdout)


if __name__ == "__main__":
    main()
