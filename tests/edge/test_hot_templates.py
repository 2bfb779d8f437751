"""Answers filled into the head of another of their kind: the bytes that Flask would have sent."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from configsvc.documents.bounds import DEFAULT_BOUNDS
from configsvc.edge.hot import BYTES_BESIDE_TEXT, HotReads, hot_read, unfit
from configsvc.edge.hot_bulk import HotBulk
from configsvc.edge.hot_maker import MAX_AHEAD_BYTES, MAX_FILLED_BYTES, HotMaker
from configsvc.edge.hot_requests import HotRequest
from configsvc.edge.hot_templates import parts_of, template_of
from configsvc.edge.read_ahead import BEGIN_AT, LEAST_BYTES
from configsvc.settings import Settings
from configsvc.store.memory import MemorySnapshot
from configsvc.store.reader import ObjectMissing
from tests.access.book import Book
from tests.edge.pairs import API, SEED, pair
from tests.edge.running import PATIENCE_S, connect, get

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DOCUMENTS = {
    "a.json": b'{\n  "a": 1\n}\n',
    "b.json": b'{"etag: \\"0-x\\"": "\xc3\xa4", "100%d": "%(tag)b"}',
    "c.json": b"{ }",
    "d.yaml": b"a: 1 # one\n",
    "e.yaml": b"? 'x'\r\n: |\r\n  config-version: 0\r\n",
    "f.yaml": b"a: [1, 2.50, 1e3]\n",
    "broken.json": b"{",
    "long/name.of/a-service_1.json": b'{"a": "%s"}\n' % (b"x" * 5000),
}


class Counted:
    """Counts what Flask is asked for, by path and query."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def around(self, app: WSGIApplication) -> WSGIApplication:
        def counted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            self.asked[f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"] += 1
            return app(environ, start_response)

        return counted


@pytest.fixture(params=[False, True], ids=["edge", "wire"])
def settings(request: pytest.FixtureRequest) -> Settings:
    return Settings(wire=request.param)


def until(is_so: Callable[[], bool], ask: Callable[[], object]) -> None:
    """Ask something else until it is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s
        ask()


def test_flask_is_asked_once_for_each_kind_and_every_answer_is_its_own(settings: Settings) -> None:
    book, counted = Book(), Counted()
    for path, data in DOCUMENTS.items():
        book.put(path, data)
    book.put("c.json", b'{"a": 2}')
    book.put("f.yaml", None)
    book.put("f.json", b"{}")
    with pair(book, settings, around=counted.around) as both:
        for _ in range(2):
            for start in (API, SEED):
                for path in DOCUMENTS:
                    both.check(("GET", start + path.rpartition(".")[0], {}))
            book.put("a.json", b'{"a": 3}')

    by_itself = Counter(path.removeprefix("/config?service=")[:12] for path in counted.asked.elements())
    assert by_itself["/api/v1/conf"] == 2  # JSON and YAML
    assert counted.asked["/config?service=c"] == 1  # a map of versions
    assert counted.asked["/config?service=d"] == 1
    assert counted.asked["/config?service=b"] == 0
    assert counted.asked["/config?service=e"] == 1  # YAML, which may be much more as JSON


def test_a_template_is_taken_only_where_it_gives_the_very_answer() -> None:
    book = Book()
    book.put("a.json", b'{"a": 1}')
    entry = book.store.snapshot().find("a")
    assert entry is not None
    parts = parts_of(entry, b'{"a": 1}', DEFAULT_BOUNDS, is_seed=False)
    assert parts is not None
    head = {
        b"content-type": b"application/json",
        b"content-length": b"8",
        b"etag": parts.tag,
        b"config-version": b"0",
        b"config-revision": b"1",
        b"x-other": b"100%d",
    }

    def template(body: bytes = b'{"a": 1}', **changed: bytes) -> object:
        lines = head | {name.replace("_", "-").encode(): value for name, value in changed.items()}
        return template_of(hot_read("a", list(lines.items()), body), parts)

    assert template() is not None
    assert template(etag=b'"1-x"') is None
    assert template(config_version=b"1") is None
    assert template(content_type=b"text/plain") is None
    assert template(b'{"a": 2}') is None


@pytest.mark.parametrize("is_seed", [False, True])
def test_a_version_without_a_document_of_its_own_is_flasks_to_answer(is_seed: bool) -> None:
    book = Book()
    book.put("a.json", b"{}")
    book.put("a.json", b"[" * 100)
    book.put("gone.json", b"{}")
    book.put("gone.json", None)
    book.put("gone.json", b"[" * 100)
    snapshot = book.store.snapshot()
    for name, version, is_plain in (("gone", 1, False), ("a", 1, not is_seed), ("gone", 2, not is_seed)):
        entry = snapshot.entry(name, version)
        assert entry is not None
        parts = parts_of(entry, b"[" * 100, DEFAULT_BOUNDS, is_seed=is_seed)
        assert (parts is not None) is is_plain, (name, version)


def test_what_was_just_written_is_answered_without_a_thread(settings: Settings) -> None:
    book = Book()
    book.put("web.json", b"{}\n")
    with pair(book, settings) as both:
        both.check(("GET", API + "web", {}))
        before = both.hot.answered.copy()
        for number in range(5):
            book.put("web.json", b'{"n": %d}\n' % number)
            book.access.refresh()
            assert both.check(("GET", API + "web", {}))[2] == b'{"n": %d}\n' % number
        assert both.hot.answered == before
        assert both.ready[200] >= 10


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no document in memory."""
    monkeypatch.setattr(MemorySnapshot, "blob_in_memory", lambda self, blob_id: None)


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("start", [API, SEED])
def test_once_many_were_asked_for_the_others_are_made_ahead(settings: Settings, start: str) -> None:
    book, counted = Book(), Counted()
    for number in range(3 * BEGIN_AT):
        book.put(f"s{number:04d}.json", b'{"a": %d}\n' % number)
        book.put(f"t{number:04d}.yaml", b"a: %d\n" % number)
    asked = ["t0000", *(f"s{number:04d}" for number in range(BEGIN_AT - 1))]
    with pair(book, settings, around=counted.around) as both:
        for name in asked:
            both.ask(both.ports[0], ("GET", start + name, {}))

        count = 3 * BEGIN_AT + 1 if start == SEED else 6 * BEGIN_AT
        until(lambda: len(both.hot.reads) == count, lambda: both.ask(both.ports[0], ("GET", "/", {})))

        assert both.hot.made == BEGIN_AT
        book.put("s0100.json", b'{"a": "new"}\n')
        for name in ("s0099", "s0100", "s0191"):
            both.check(("GET", start + name, {}))
        assert both.hot.made == BEGIN_AT + 1
        assert sum(counted.asked.values()) == 2 + (start == SEED)


def test_what_is_made_ahead_takes_no_room_of_what_was_asked_for() -> None:
    reads = HotReads(16 * (BYTES_BESIDE_TEXT + 1))
    asked = [f"a{number:02d}".encode() for number in range(10)]
    for target in asked:
        reads.keep(target, unfit("s", 0, 1))

    rooms = [reads.keep_ahead(f"b{number:02d}".encode(), unfit("s", 0, 1)) for number in range(4)]

    assert rooms == [True, True, False, False]
    assert len(reads) == 12


def test_what_is_kept_is_not_replaced_by_what_was_made_ahead() -> None:
    book = Book()
    book.put("s.json", b"{}")
    reads = HotReads(1 << 20)
    reads.keep(b"s", replace(unfit("s", 0, 1), tag=b"asked"))

    reads.keep_ahead(b"s", replace(unfit("s", 0, 1), tag=b"ahead"))

    found = reads.find(b"s", book.store.snapshot())
    assert found is not None
    assert found.tag == b"asked"


@pytest.mark.usefixtures("on_disk")
def test_one_document_that_cannot_be_read_fails_alone(settings: Settings) -> None:
    book = Book()
    for number in range(40):
        book.put(f"s{number}.json", b'{"a": %d}\n' % number)
    snapshot = book.store.snapshot()
    entry = snapshot.find("s13")
    assert entry is not None
    read, read_many = type(snapshot).blob, type(snapshot).blobs

    def blob(self: Any, blob_id: str) -> bytes:
        if blob_id == entry.blob_id:
            raise ObjectMissing("object: gone")
        return read(self, blob_id)

    def blobs(self: Any, blob_ids: Any, *, max_bytes: int | None = None) -> Any:
        for each in blob_ids:
            blob(self, each)
        return read_many(self, blob_ids, max_bytes=max_bytes)

    with pytest.MonkeyPatch.context() as patch, pair(book, settings) as both:
        both.ask(both.ports[0], ("GET", API + "s0", {}))
        patch.setattr(type(snapshot), "blob", blob)
        patch.setattr(type(snapshot), "blobs", blobs)
        connections = [connect(both.ports[0]) for _ in range(1, 40)]
        for number, connection in enumerate(connections, 1):
            connection.sendall(get(API + f"s{number}"))
        firsts = [connection.makefile("rb").readline() for connection in connections]
        for connection in connections:
            connection.close()

    statuses = Counter(line.split(b" ")[1] for line in firsts)
    assert statuses == {b"200": 38, b"503": 1}


@pytest.mark.usefixtures("on_disk")
def test_large_documents_and_yaml_for_the_original_dialect_are_left_to_flask(settings: Settings) -> None:
    book, counted = Book(), Counted()
    sizes = {"s": 100, "m": MAX_AHEAD_BYTES + 1, "l": MAX_FILLED_BYTES + 1}
    for name, size in sizes.items():
        book.put(f"{name}.json", b'{"a": "%s"}\n' % (b"x" * size))
    book.put("y.yaml", b"a: &a xxxx\nb: [*a, *a, *a]\n")
    with pair(book, settings, around=counted.around) as both:
        for _ in range(2):
            for name in (*sizes, "y"):
                for start in (API, SEED):
                    both.check(("GET", start + name, {}))
    asked = {path.rpartition("=")[2].rpartition("/")[2].rstrip("?") for path in counted.asked}
    assert asked == {"s", "l", "y"}


@pytest.mark.usefixtures("on_disk")
def test_nothing_is_made_ahead_in_little_memory_or_for_one_service_that_changes(settings: Settings) -> None:
    book = Book()
    for number in range(2 * BEGIN_AT):
        book.put(f"s{number:04d}.json", b"{}\n")
    with pair(book, replace(settings, hot_cache_bytes=LEAST_BYTES - 1)) as both:
        for number in range(BEGIN_AT + 1):
            both.check(("GET", f"{API}s{number:04d}", {}))
        assert len(both.hot.reads) == BEGIN_AT + 1
    with pair(book, settings) as both:
        for number in range(BEGIN_AT + 5):
            book.put("s0000.json", b'{"n": %d}\n' % number)
            both.check(("GET", API + "s0000", {}))
        assert len(both.hot.reads) == 1


def test_when_no_thread_can_be_begun_each_is_told_so_by_itself() -> None:
    class Exhausted(Executor):
        def submit(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("can't start new thread")

    async def ask() -> list[object]:
        bulk = HotBulk(cast(HotMaker, SimpleNamespace(fill=None)), Exhausted())
        request = HotRequest(b"/config?service=web", b"localhost", None, None, None)
        return [await bulk.make(request) for _ in range(2)]

    assert asyncio.run(ask()) == [None, None]
