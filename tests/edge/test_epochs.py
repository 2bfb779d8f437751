"""What is remembered of requests holds no old state of the repository in memory."""

from __future__ import annotations

import gc

import pytest

from configsvc.edge.epochs import NEVER, Epochs
from configsvc.settings import Settings
from configsvc.store.memory import MemorySnapshot
from tests.access.book import Book
from tests.edge.pairs import API, SEED, pair
from tests.edge.running import connect, get
from tests.edge.test_watches import served

COUNT = 30
FEW = 5
"""The newest snapshot, those of what is under way, and what a thread has not let go of yet."""


def alive() -> int:
    """Return how many snapshots are in memory."""
    gc.collect()
    return sum(isinstance(each, MemorySnapshot) for each in gc.get_objects())


@pytest.mark.parametrize("wire", [False, True], ids=["edge", "wire"])
def test_requests_that_are_remembered_hold_no_old_snapshots(wire: bool) -> None:
    book, before = Book(), alive()
    with pair(book, Settings(wire=wire)) as both:
        for number in range(COUNT):
            book.put(f"s{number}.json", b"{}\n")
            for start in (SEED, API):
                for _ in range(3):
                    assert both.ask(both.ports[0], ("GET", f"{start}s{number}", {}))[0] == 200
        assert both.ready[200] >= COUNT
        assert alive() - before <= FEW


def test_reads_that_wait_hold_no_old_snapshots() -> None:
    book, before, connections = Book(), alive(), []
    with served(book, Settings(open=True)) as port:
        for number in range(COUNT):
            book.put(f"s{number}.json", b"{}\n")
            target = f"/api/v1/configs/s{number}"
            with connect(port) as connection:
                connection.sendall(get(target, close=False))
                tag = connection.recv(1 << 16).partition(b"etag: ")[2].partition(b"\r\n")[0].decode()
            waiting = connect(port)
            connections.append(waiting)
            waiting.sendall(get(f"{target}?wait=60", f"If-None-Match: {tag}", close=False))
        with connect(port) as connection:
            connection.sendall(get("/healthz", close=False))
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert alive() - before <= FEW
        for waiting in connections:
            waiting.close()


def test_another_snapshot_is_another_epoch() -> None:
    book, epochs = Book(), Epochs()
    book.put("a.json", b"{}")
    first = book.store.snapshot()

    numbers = [epochs.of(first), epochs.of(first)]
    book.put("a.json", b'{"a": 1}')
    numbers.append(epochs.of(book.store.snapshot()))

    assert numbers == [NEVER + 1, NEVER + 1, NEVER + 2]
