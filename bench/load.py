"""HTTP clients in a process of their own, so that they do not hold up the server's threads.

    python -m bench.load < JOB > ANSWER      both are JSON

They still share the machine's cores with the server.  Each client has one
connection, kept open, and asks again as soon as it is answered.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

from bench.corpus import document, service_name
from bench.samples import Round

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Job:
    """What the clients do.

    Args:
        services: Number of services that are written to, or read in turn when `targets` is empty.
        targets: What to GET; one is picked at random each time.
        writes: PATCH services picked at random instead.
        in_turn: Ask each service once, in order, instead of for `seconds`.
        may_break: The server may go away meanwhile.
        path: Of the read of a service, with {} for its name.
        pause_s: Seconds from an answer to the next request of a client.
    """

    port: int
    clients: int
    seconds: float
    seed: int = 0
    services: int = 0
    targets: tuple[str, ...] = ()
    writes: bool = False
    in_turn: bool = False
    may_break: bool = False
    pause_s: float = 0.0
    path: str = "/config?service={}"


def start_load(job: Job) -> subprocess.Popen[bytes]:
    """Return the process of clients at work on `job`; give it to `finish_load`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(job)).encode())
    process.stdin.close()
    process.stdin = None
    return process


def finish_load(process: subprocess.Popen[bytes]) -> Round:
    """Return what the clients saw, once they are done.

    Raises:
        RuntimeError: An answer was not a 2xx, or a connection broke.
    """
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"clients: exit {process.returncode}")
    answer = json.loads(output)
    if answer["trouble"]:
        raise RuntimeError(f"clients: {answer['trouble']}")
    return Round(answer["seconds"], tuple(answer["latencies_ms"]), answer["cpu_s"])


def run_load(job: Job) -> Round:
    """Do `job` and return what the clients saw."""
    return finish_load(start_load(job))


class Work:
    """What is left to ask, and what was answered: shared by the clients of a job."""

    def __init__(self, job: Job, done: asyncio.Event) -> None:
        self.job = job
        self.trouble = ""
        self.latencies_ms: list[float] = []
        self._done = done
        self._chance = random.Random(job.seed)
        self._asked = 0
        self._working = job.clients
        self.started = self.ended = time.perf_counter()

    def next_request(self) -> bytes | None:
        """Return the bytes of a request, None when there is nothing more to do."""
        turn, self._asked = self._asked, self._asked + 1
        if self.job.in_turn:
            if turn >= self.job.services:
                return None
            number = turn
        else:
            if time.perf_counter() - self.started >= self.job.seconds:
                return None
            number = self._chance.randrange(self.job.services or len(self.job.targets))
        if self.job.writes:
            body = document(number, self._chance.getrandbits(60))
            return _request("PATCH", f"/config?service={service_name(number)}", body)
        targets = self.job.targets
        return _request("GET", targets[number] if targets else self.job.path.format(service_name(number)))

    def client_done(self) -> None:
        """Note that one client has nothing more to do."""
        self._working -= 1
        self.ended = time.perf_counter()
        if not self._working:
            self._done.set()


class Client(asyncio.Protocol):
    """One connection that asks and waits, again and again."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._sent_at = 0.0
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by descent
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; ask again when it is whole."""
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._buffer[:head_end])
        if len(self._buffer) < head_end + 4 + _content_length(head):
            return
        self._work.latencies_ms.append((time.perf_counter() - self._sent_at) * 1000)
        if not head.startswith(b"HTTP/1.1 2"):
            self._work.trouble = bytes(self._buffer[:400]).decode("latin-1")
            self._finish()
            return
        self._buffer.clear()
        if self._work.job.pause_s:
            asyncio.get_running_loop().call_later(self._work.job.pause_s, self._ask)
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note a connection that broke before the work was done."""
        if not self._finished:
            if not self._work.job.may_break:
                self._work.trouble = f"connection lost: {exc}"
            self._finish()

    def _ask(self) -> None:
        request = self._work.next_request()
        if request is None:
            self._finish()
        elif self._transport is not None:
            self._sent_at = time.perf_counter()
            self._transport.write(request)

    def _finish(self) -> None:
        self._finished = True
        self._work.client_done()
        if self._transport is not None:
            self._transport.close()


def _request(method: str, target: str, body: bytes | None = None) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
    if body is None:
        return (head + "\r\n").encode("ascii")
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def _content_length(head: bytes) -> int:
    start = head.lower().index(b"\r\ncontent-length:") + len(b"\r\ncontent-length:")
    return int(head[start:].split(b"\r\n", 1)[0])


async def _work(job: Job) -> dict[str, object]:
    done = asyncio.Event()
    work = Work(job, done)
    loop = asyncio.get_running_loop()
    cpu_s = time.process_time()
    for _ in range(job.clients):
        await loop.create_connection(lambda: Client(work), "127.0.0.1", job.port)
    await done.wait()
    return {
        "seconds": work.ended - work.started,
        "latencies_ms": work.latencies_ms,
        "cpu_s": time.process_time() - cpu_s,
        "trouble": work.trouble,
    }


def main() -> None:
    """Read a job, do it, and print what was seen."""
    given = json.load(sys.stdin)
    given["targets"] = tuple(given["targets"])
    json.dump(uvloop.run(_work(Job(**given))), sys.stdout)


if __name__ == "__main__":
    main()
