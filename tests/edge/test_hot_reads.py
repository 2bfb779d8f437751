"""Plain reads answered in front of Flask: the same answers, never older ones, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from configsvc.app import create_app, unlogged
from configsvc.core.names import meta_path
from configsvc.core.principals import format_time
from configsvc.edge.hot import BYTES_BESIDE_TEXT, HotReads, hot_read
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.hot_requests import HotRequest
from configsvc.edge.ready import ReadyAnswers
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore
from tests.access.book import Book, bearer, token_of
from tests.edge.pairs import API, SEED, Headers, Pair, pair


@pytest.fixture(params=[False, True], ids=["edge", "wire"])
def settings(request: pytest.FixtureRequest) -> Settings:
    return Settings(wire=request.param)


@pytest.fixture
def both(settings: Settings) -> Iterator[Pair]:
    book = Book()
    book.put("web.json", b'{\n  "a": 1\n}\n')
    book.put("pay/api.yaml", b"a: 1 # one\n")
    book.put("many.json", b'{"a": 1}\n')
    book.put("many.json", b'{"a": "\xc3\xa4"}\n')
    book.put("gone.json", b"{}\n")
    book.put("gone.json", None)
    book.put("again.json", b"{}\n")
    book.put("again.json", None)
    book.put("again.json", b'{"a": 2}\n')
    with pair(book, settings) as made:
        yield made


NAMES = (
    "web",
    "pay/api",
    "pay%2Fapi",
    "pay%2fapi",
    "many",
    "gone",
    "again",
    "none",
    "Web",
    "a//b",
    "a/-/meta",
)
TAGS = ("*", '"x"', 'W/"x"', '"x', '"a", "b"', "", "{seed}", "{api}", "W/{seed}", "{seed}, {api}")
HEADERS: tuple[Headers, ...] = (
    {},
    *(
        {"Accept": value}
        for value in ("*/*", "", "application/json", "application/yaml", "text/html", "*/*;q=0")
    ),
    *({"If-None-Match": tag} for tag in TAGS),
    *({"If-Match": tag} for tag in ('"x"', "*", "{seed}", "{api}")),
    {"Accept": "text/html", "If-None-Match": "{api}"},
    *({"Host": host} for host in ("127.0.0.1:80", "evil.example", "LOCALHOST.", "a b", "")),
    {"Authorization": "Bearer x"},
    {"If-Modified-Since": "Wed, 25 Nov 2026 00:00:00 GMT", "Range": "bytes=0-1"},
    {"Content-Length": "0"},
    {"Expect": "100-continue"},
    {"Config-Request-Id": "x", "Cookie": "a=b", "X_Accept": "text/html", "If_Match": '"x"'},
)


def filled(headers: Headers, pair: Pair, name: str) -> Headers:
    """Return headers with the tags that the service has now in place of their names."""
    if not any("{" in value for value in headers.values()):
        return headers
    tags = {
        kind: dict(pair.ask(pair.ports[1], ("GET", start + name, {}))[1]).get("etag", '"none"')
        for kind, start in (("seed", SEED), ("api", API))
    }
    return {key: value.format(**tags) for key, value in headers.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "web" else [pytest.mark.thorough]) for name in NAMES],
)
def test_every_answer_is_the_one_flask_gives(both: Pair, name: str) -> None:
    for headers in HEADERS:
        for start in (SEED, API):
            for method in ("GET", "HEAD"):
                both.check((method, start + name, filled(headers, both, name)))


@pytest.mark.parametrize(
    "target",
    [
        SEED + "web&version=0",
        SEED + "web&x=1",
        SEED + "web&service=web",
        API + "web?pointer=/a",
        API + "web?version=0",
        API + "web?min_revision=99",
        "/config/?service=web",
        "/config",
        "//config?service=web",
        API + "web/",
        API + "%77eb",
    ],
)
def test_what_is_no_plain_read_is_left_to_flask(both: Pair, target: str) -> None:
    both.check(("GET", target, {}))

    assert not both.answered


def test_plain_reads_are_answered_in_front_of_flask(both: Pair, settings: Settings) -> None:
    for target in (SEED + "web", API + "web", SEED + "many", API + "pay%2Fapi"):
        tag = dict(both.check(("GET", target, {}))[1])["etag"]
        both.check(("HEAD", target, {}))
        assert both.check(("GET", target, {"If-None-Match": tag}))[0] == 304

    assert both.answered == {200: 16, 304: 8}
    assert both.ready == {200: 12, 304: 8}


def test_a_read_after_a_write_reads_the_write(both: Pair) -> None:
    changes: list[Callable[[], None]] = [
        lambda: both.book.put("web.json", b'{"a": 2}\n'),
        lambda: both.book.put("other.json", b"{}\n"),
        lambda: both.book.put(meta_path("web"), b"enabled: false\n"),
        lambda: both.book.put("web.json", None),
        lambda: both.book.put("web.json", b'{"a": 3}\n'),
    ]
    seen = []
    for change in changes:
        change()
        for start in (SEED, API):
            status, headers, body = both.check(("GET", start + "web", {}))
            seen.append((status, dict(headers)["config-revision"], body))

    assert len(set(seen)) == len(seen)
    assert both.answered[200] > 12


def test_a_credential_is_good_for_as_long_and_as_far_as_for_flask(settings: Settings) -> None:
    book = Book()
    book.put("web.json", b"{}\n")
    book.put("secret.json", b"{}\n")
    book.add("root", all="admin")
    book.add("reader", web="reader")
    book.add("brief", all="reader", expires=format_time(int(book.now_s) + 60))
    with pair(book, settings) as both:

        def statuses(name: str) -> list[int]:
            headers = {"Authorization": bearer(name)}
            return [both.check(("GET", SEED + each, headers))[0] for each in ("web", "secret")]

        assert statuses("reader") == [200, 404]
        assert statuses("brief") == [200, 200]
        assert both.check(("GET", SEED + "web", {}))[0] == 401
        assert both.check(("GET", SEED + "web", {"Authorization": f"Bearer {token_of('nobody')}"}))[0] == 401
        assert both.answered[200] >= 6
        book.now_s += 61
        assert statuses("brief") == [401, 401]
        book.add("reader", secret="reader")
        assert statuses("reader") == [404, 200]
        book.remove("reader")
        assert statuses("reader") == [401, 401]


def test_a_server_becomes_closed_with_its_first_principal(both: Pair) -> None:
    both.check(("GET", SEED + "web", {}))
    both.book.add("root", all="admin")

    assert both.check(("GET", SEED + "web", {}))[0] == 401


def kept(reads: HotReads, store: MemoryStore, name: str, body: bytes) -> bytes:
    target = f"/config?service={name}".encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"etag", b'"0-x-seed"'),
        (b"config-version", b"0"),
        (b"config-revision", b"%d" % store.snapshot().revision),
    ]
    reads.keep(target, hot_read(name, headers, body))
    return target


def test_the_least_recently_used_answers_go_when_memory_is_used_up() -> None:
    book = Book()
    for name in ("a", "b", "c"):
        book.put(f"{name}.json", b"{}\n")
    snapshot = book.store.snapshot()
    reads = HotReads(10 * (BYTES_BESIDE_TEXT + 250))
    targets = [kept(reads, book.store, f"s{number}", b"x" * 100) for number in range(10)]
    assert reads.find(targets[0], snapshot) is not None

    for number in range(10, 14):
        kept(reads, book.store, f"s{number}", b"x" * 100)

    assert reads.find(targets[0], snapshot) is not None
    assert reads.find(targets[1], snapshot) is None
    assert reads.used_bytes <= 10 * (BYTES_BESIDE_TEXT + 250)


def test_an_answer_that_is_kept_no_longer_holds_no_text_whoever_knows_of_it() -> None:
    book = Book()
    book.put("s.json", b"{}\n")
    reads = HotReads(10 * (BYTES_BESIDE_TEXT + 250))
    target = kept(reads, book.store, "s", b"x" * 100)
    known = reads.find(target, book.store.snapshot())
    assert known is not None

    kept(reads, book.store, "s", b"y" * 100)

    assert (known.text, known.is_kept) == (b"", False)
    renewed = reads.find(target, book.store.snapshot())
    assert renewed is not None
    assert renewed.text.endswith(b"y" * 100)


def test_an_answer_that_is_used_often_stays_when_memory_is_used_up(settings: Settings) -> None:
    book, many = Book(), [f"s{number}" for number in range(60)]
    for name in ("often", *many):
        book.put(f"{name}.json", b'{"a": "%s"}\n' % (b"x" * 800))
    with pair(book, replace(settings, hot_cache_bytes=64 << 10)) as both:
        for name in many:
            for target in ("often", "often", name):
                assert both.ask(both.ports[0], ("GET", SEED + target, {}))[0] == 200
        assert len(both.hot.reads) < len(many)  # memory was used up
        assert both.hot.made == 1 + len(many)
        assert both.ready[200] == 2 * len(many) - 1


def test_answers_of_one_turn_are_counted_as_what_each_of_them_was() -> None:
    book = Book()
    book.put("web.json", b"{}\n")
    service = ConfigService(book.store)
    app = create_app(service, Settings(), access=book.access)
    with closing(HotAnswerer(unlogged(app), book.access, service, 64 << 10)) as hot:
        statuses = asyncio.run(_ask_around_a_change(book, hot))
    assert statuses == [b"304", b"304", b"200"]
    assert hot.ready == {304: 2, 200: 1}


async def _ask_around_a_change(book: Book, hot: HotAnswerer) -> list[bytes]:
    """Return the statuses of three answers to the same bytes; the loop turns only when all are given."""
    request = HotRequest(b"/config?service=web", b"localhost", None, None, None)
    scope = {"path": "/config", "query_string": b"service=web", "scheme": "http", "http_version": "1.1"}
    await hot.keep(request, scope)
    read = hot.reads.find(request.target, book.store.snapshot())
    assert read is not None
    ready = ReadyAnswers(hot, 64 << 10)
    decided = ready.recall(b"GET", request.target, [(b"host", b"localhost"), (b"if-none-match", read.tag)])
    assert decided is not None

    answers = [ready.answer(decided, [], "") for _ in range(2)]
    book.put("web.json", b'{"a": 1}\n')
    book.access.refresh()
    kept(hot.reads, book.store, "web", b'{"a": 1}\n')
    answers.append(ready.answer(decided, [], ""))
    await asyncio.sleep(0)
    return [(each or b"none given").split(b" ")[1] for each in answers]


def test_an_answer_that_is_too_large_is_only_marked() -> None:
    book = Book()
    book.put("a.json", b"{}\n")
    reads = HotReads(64 << 10)

    target = kept(reads, book.store, "a", b"x" * (9 << 10))

    found = reads.find(target, book.store.snapshot())
    assert found is not None
    assert found.is_unfit
