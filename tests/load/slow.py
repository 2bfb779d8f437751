"""Clients that send or read as slowly as they can, in a process of their own.

    python -m tests.load.slow < CROWD      JSON

It prints a line when all are connected, and another one when it is told to end by the end of its input.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STEP_S = 1.0
"""Between two bytes."""


@dataclass(frozen=True)
class Crowd:
    """How many clients there are of each kind, and what they are slow at.

    Args:
        target: A large document, for those who read slowly.
    """

    port: int
    head: int = 0
    body: int = 0
    reading: int = 0
    target: str = "/"


@contextmanager
def crowding(crowd: Crowd) -> Iterator[None]:
    """Have the clients connected, and each at its slow work, while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.load.slow"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(crowd)).encode() + b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"connected\n"
            yield
        finally:
            process.kill()


async def connected(port: int) -> socket.socket:
    """Return a connection whose buffers are as small as they can be."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    return made


async def drip(connection: socket.socket, at_once: bytes, then: bytes) -> None:
    """Send the first bytes at once and the others one by one, for ever."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, at_once)
    while True:
        await asyncio.sleep(STEP_S)
        await loop.sock_sendall(connection, then)


async def head(crowd: Crowd, connection: socket.socket) -> None:
    """Send a head that does not end."""
    await drip(connection, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"x")


async def body(crowd: Crowd, connection: socket.socket) -> None:
    """Send a body that does not end."""
    lines = b"PUT /api/v1/configs/slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    await drip(connection, lines + b"Content-Length: 100000\r\n\r\n{", b" ")


async def reading(crowd: Crowd, connection: socket.socket) -> None:
    """Ask for a large document, and read a byte of it now and then."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, f"GET {crowd.target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    while True:
        await asyncio.sleep(STEP_S)
        await loop.sock_recv(connection, 1)


async def begin(crowd: Crowd, act: Callable[[Crowd, socket.socket], Awaitable[None]]) -> asyncio.Task[None]:
    """Connect a client and let it act until it is cut off."""
    connection = await connected(crowd.port)

    async def run() -> None:
        with connection, suppress(OSError):
            await act(crowd, connection)

    return asyncio.create_task(run())


async def run(crowd: Crowd) -> None:
    """Have them all at work until they are cut off, and longer."""
    acts = [head] * crowd.head + [body] * crowd.body + [reading] * crowd.reading
    tasks = []
    for act in acts:
        tasks.append(await begin(crowd, act))
        await asyncio.sleep(0.001)
    print("connected", flush=True)
    await asyncio.gather(*tasks)
    await asyncio.Event().wait()


def main() -> None:
    """Read what to do and do it until this process is ended."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(run(Crowd(**json.loads(sys.stdin.readline()))))


if __name__ == "__main__":
    main()
