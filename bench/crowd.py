"""Thousands of clients that wait, in a process of their own, each of which costs as little as may be.

    python -m bench.crowd PORT CLIENTS TOLD_MARK WAITING_MARK

The clients are bare sockets in one epoll: what they take of the two cores is not the server's to have.
Each line of its input is an order, each line of its output the answer, both JSON.  Times are those of
`time.monotonic`, which all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 60.0
_EVENTS = 256
_READ_BYTES = 1 << 16
_CONNECTING = 200
_FILES_BESIDE = 200


class Crowd:
    """Clients that wait for the same.

    Args:
        told: Mark in an answer by which a client is told.
        waiting: Mark in an answer by which a client is known to wait; empty: there is none.
    """

    def __init__(self, port: int, clients: int, told: bytes, waiting: bytes) -> None:
        self._port = port
        self._clients = clients
        self._told = told
        self._waiting = waiting
        self._sockets: dict[int, socket.socket] = {}
        self._epoll = select.epoll()

    def gather(self, request: bytes) -> None:
        """Connect all clients and have each ask; return when all wait, as far as that can be seen."""
        for number in range(self._clients):
            client = socket.create_connection(("127.0.0.1", self._port), timeout=WAIT_S)
            client.setblocking(False)
            self._sockets[client.fileno()] = client
            self._epoll.register(client.fileno(), select.EPOLLIN)
            client.send(request)
            if self._waiting and number % _CONNECTING == _CONNECTING - 1:
                self._read(self._waiting, _CONNECTING)
        if self._waiting:
            self._read(self._waiting, self._clients % _CONNECTING)

    def watch(self) -> float:
        """Return when the last client was told."""
        return self._read(self._told, self._clients)

    def ask(self, request: bytes) -> None:
        """Have each client ask."""
        for client in self._sockets.values():
            client.send(request)

    def leave(self) -> None:
        """Hang up, all at once."""
        for client in self._sockets.values():
            client.close()
        self._sockets.clear()

    def _read(self, mark: bytes, count: int) -> float:
        """Return when `mark` had come to `count` clients.

        Raises:
            TimeoutError: Nothing has come for `WAIT_S`.
        """
        read, poll = os.read, self._epoll.poll
        while count > 0:
            events = poll(WAIT_S, _EVENTS)
            if not events:
                raise TimeoutError(f"crowd: {count} clients hear nothing for {WAIT_S:.0f} s")
            for number, _ in events:
                data = read(number, _READ_BYTES)
                if not data:
                    raise ConnectionError("crowd: the server hung up")
                if mark in data:
                    count -= 1
        return time.monotonic()


class CrowdProcess:
    """A crowd in a process of its own; started on entry, ended on exit."""

    def __init__(self, port: int, clients: int, told: str, waiting: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.crowd", str(port), str(clients), told, waiting],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> CrowdProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def order(self, name: str, request: str = "") -> None:
        """Give an order; its end is told by `done`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, request]) + "\n")
        self._process.stdin.flush()

    def done(self) -> float:
        """Wait until the order is carried out, and return when that was.

        Raises:
            RuntimeError: The process has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"crowd: exit {self._process.wait()}")
        return float(json.loads(line))

    def do(self, name: str, request: str = "") -> float:
        """Give an order and wait until it is carried out; return when that was."""
        self.order(name, request)
        return self.done()


def main(arguments: list[str]) -> None:
    """Carry out the orders that come, until there are no more."""
    port, clients, told, waiting = arguments
    _allow_files(int(clients) + _FILES_BESIDE)
    crowd = Crowd(int(port), int(clients), told.encode(), waiting.encode())
    orders: dict[str, Any] = {"gather": crowd.gather, "ask": crowd.ask}
    for line in sys.stdin:
        name, request = json.loads(line)
        if name in orders:
            orders[name](request.encode())
            ended_s = time.monotonic()
        elif name == "watch":
            ended_s = crowd.watch()
        else:
            crowd.leave()
            ended_s = time.monotonic()
        print(json.dumps(ended_s), flush=True)


def _allow_files(wanted: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))


if __name__ == "__main__":
    main(sys.argv[1:])
