"""Clients that write as fast as they can, and others that read meanwhile, in a process of their own.

    python -m tests.load.storm < STORM > SEEN      both are JSON

Each writer has one connection and one service, and notes how many of its writes were acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Storm:
    """What the clients do.

    Args:
        reads: What readers ask for, by the name under which latencies are told.
        readers: How many there are of each; each pauses for `read_pause_s` in between.
    """

    port: int
    writers: int
    seconds: float
    reads: dict[str, str] = field(default_factory=dict)
    readers: int = 2
    read_pause_s: float = 0.005


@dataclass
class Seen:
    """What came of it.

    Args:
        acknowledged: Writes of each service that were answered with success.
        refused: Writes that were answered 503 with Retry-After, by code.
        trouble: Any other answer.
    """

    acknowledged: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def percentile_ms(self, name: str, percent: float) -> float:
        """Return the latency that so many percent of the reads did not exceed."""
        found = sorted(self.latencies_ms[name])
        return found[min(len(found) - 1, int(len(found) * percent / 100))]

    def report(self) -> str:
        """Return the figures in a few lines."""
        written = sum(self.acknowledged.values()) / self.seconds
        refused = sum(self.refused.values()) / self.seconds
        lines = [f"{written:.0f} writes/s acknowledged, {refused:.0f}/s refused"]
        for name, found in self.latencies_ms.items():
            figures = [f"p{percent} {self.percentile_ms(name, percent):.1f} ms" for percent in (50, 99, 100)]
            lines.append(f"{name}: {len(found) / self.seconds:.0f}/s, {', '.join(figures)}")
        return "\n".join(lines)


def service_of(writer: int) -> str:
    """Return the service that a writer writes."""
    return f"storm-{writer % 20}/s{writer}"


def raise_storm(storm: Storm) -> Seen:
    """Let the clients do their work and return what they saw."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.load.storm"],
        input=json.dumps(asdict(storm)).encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
        timeout=storm.seconds + 120,
    )
    return Seen(**json.loads(done.stdout))


class Connection:
    """One connection that asks and waits."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, target: str, body: bytes = b"", *, tag: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer.

        Args:
            tag: What the client has already; empty for nothing.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        if tag:
            head += f"If-None-Match: {tag}\r\n"
        writer.write(f"{head}\r\n".encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        answer = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), headers, answer

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def write(storm: Storm, writer: int, seen: Seen, until_s: float) -> None:
    """Write one service until the time is up."""
    connection, service = Connection(storm.port), service_of(writer)
    seen.acknowledged[service] = 0
    for number in count():
        method = "PATCH" if number else "POST"
        body = json.dumps({"number": number}).encode()
        while time.monotonic() < until_s:
            status, headers, answer = await connection.ask(method, f"/config?service={service}", body)
            if status in (200, 201):
                seen.acknowledged[service] += 1
                break
            if status != 503 or not headers.get("retry-after", "").isdecimal():
                seen.trouble.append(f"{method} {service}: {status} {headers} {answer[:200]!r}")
                break
            code = json.loads(answer)["details"][0]["code"]
            seen.refused[code] = seen.refused.get(code, 0) + 1
            await asyncio.sleep(min(int(headers["retry-after"]), until_s - time.monotonic()))
        else:
            break
    connection.close()


async def read(storm: Storm, targets: Iterator[str], name: str, seen: Seen, until_s: float) -> None:
    """Read until the time is up."""
    connection = Connection(storm.port)
    found = seen.latencies_ms.setdefault(name, [])
    while time.monotonic() < until_s:
        target = next(targets)
        started_s = time.perf_counter()
        status, _, answer = await connection.ask("GET", target)
        found.append((time.perf_counter() - started_s) * 1000)
        if status != 200:
            seen.trouble.append(f"GET {target}: {status} {answer[:200]!r}")
        await asyncio.sleep(storm.read_pause_s)
    connection.close()


async def run(storm: Storm) -> Seen:
    """Let all clients work until the time is up."""
    seen, started_s = Seen(), time.monotonic()
    until_s = started_s + storm.seconds
    readers = [
        read(storm, cycle([target]), name, seen, until_s)
        for name, target in storm.reads.items()
        for _ in range(storm.readers)
    ]
    await asyncio.gather(*(write(storm, each, seen, until_s) for each in range(storm.writers)), *readers)
    seen.seconds = time.monotonic() - started_s
    return seen


def main() -> None:
    """Read what to do, do it, and print what was seen."""
    given: dict[str, Any] = json.load(sys.stdin)
    with suppress(ImportError):
        import uvloop

        uvloop.install()
    json.dump(asdict(asyncio.run(run(Storm(**given)))), sys.stdout)


if __name__ == "__main__":
    main()
