"""No kind of request takes another's threads, and what waits is bounded."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from configsvc.edge.pools import Pool
from configsvc.edge.refusals import Refused
from configsvc.settings import Settings
from tests.edge.bridged import Client, becomes, bridged, run, scope
from tests.edge.running import PATIENCE_S, running

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Held:
    """An application whose answers to some methods wait until they may go; it counts what reaches it."""

    def __init__(self, *methods: str) -> None:
        self.reached: list[str] = []
        self.arrived = threading.Semaphore(0)
        self.may_go = threading.Event()
        self._methods = methods

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.reached.append(environ["REQUEST_METHOD"] + " " + environ["PATH_INFO"])
        if environ["REQUEST_METHOD"] in self._methods and environ["PATH_INFO"] != "/healthz":
            self.arrived.release()
            assert self.may_go.wait(PATIENCE_S)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.arrived.acquire(timeout=PATIENCE_S)


def ask(port: int, method: str, path: str = "/x") -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        body = b"{}" if method in ("PUT", "POST") else None
        connection.request(method, path, body, headers={"Host": "localhost"})
        return connection.getresponse().status


@contextmanager
def asked(port: int, app: Held, method: str, *, busy: int, waiting: int) -> Iterator[list[int]]:
    """Let so many requests hold threads, and others wait for one; yield what they were answered, later."""
    statuses: list[int] = []
    with ThreadPoolExecutor(busy + waiting) as clients:
        asking = [clients.submit(ask, port, method) for _ in range(busy)]
        app.wait_for(busy)
        asking += [clients.submit(ask, port, method) for _ in range(waiting)]
        try:
            yield statuses
        finally:
            app.may_go.set()
        statuses += [each.result() for each in asking]


@pytest.mark.parametrize(("held", "others"), [("PUT", ("GET", "HEAD")), ("GET", ("PUT", "DELETE"))])
def test_a_kind_that_holds_all_its_threads_leaves_the_others_theirs(
    held: str, others: tuple[str, ...]
) -> None:
    app = Held(held)
    with running(app, Settings(threads=2, write_threads=2)) as port:
        with asked(port, app, held, busy=2, waiting=5) as statuses:
            assert [ask(port, method) for method in others] == [200] * len(others)
            assert ask(port, "GET", "/healthz") == 200
        assert statuses == [200] * 7


@pytest.mark.parametrize(("method", "code"), [("PUT", "queue-full"), ("GET", "unavailable")])
def test_a_request_too_many_is_refused_at_once_and_never_begun(method: str, code: str) -> None:
    async def test() -> None:
        app = Held(method)
        limits = {"threads": 1, "write_threads": 1, "max_waiting_reads": 2, "max_waiting_writes": 2}
        async with bridged(app, **limits) as bridge:
            pool = next(
                each for each in bridge.pools if each.kind == ("reads" if method == "GET" else "writes")
            )
            asked = scope(method=method)
            clients = [Client() for _ in range(3)]
            asking = [asyncio.create_task(bridge(asked, each.receive, each.send)) for each in clients]
            await becomes(lambda: (pool.busy, pool.waiting) == (1, 2))
            refused = Client()
            await bridge(asked, refused.receive, refused.send)
            assert refused.status == 503
            assert json.loads(refused.body)["code"] == code
            assert refused.headers[b"retry-after"] == b"1"
            assert b"connection" not in refused.headers  # it was read to its end: the next one may come
            app.may_go.set()
            await asyncio.gather(*asking)
            assert [each.status for each in clients] == [200] * 3
            again = Client()
            await bridge(asked, again.receive, again.send)
            assert again.status == 200
        assert len(app.reached) == 4
        assert pool.refused == 1

    run(test)


def test_a_streamed_request_too_many_closes_its_connection() -> None:
    pool = Pool("git", 1, 0)
    may_go = threading.Event()
    running_step = pool.submit(lambda: may_go.wait(PATIENCE_S))
    with pytest.raises(Refused, match="git: 0 wait already") as caught:
        pool.check_room(is_read=False)
    assert not caught.value.is_read
    may_go.set()
    assert running_step.result()
    pool.close()


def test_room_is_given_back_by_steps_that_end_fail_or_are_never_begun() -> None:
    pool = Pool("reads", 1, 2)
    may_go = threading.Event()
    first = pool.submit(lambda: may_go.wait(PATIENCE_S))
    second, third = pool.submit(lambda: 1 / 0), pool.submit(int)
    assert (pool.busy, pool.waiting) == (1, 2)
    with pytest.raises(Refused):
        pool.check_room(is_read=True)
    assert third.cancel()
    pool.check_room(is_read=True)
    may_go.set()
    assert first.result()
    assert isinstance(second.exception(), ZeroDivisionError)
    pool.close()
    assert (pool.busy, pool.waiting, pool.refused) == (0, 0, 1)
    with pytest.raises(RuntimeError):
        pool.submit(int)
    assert pool.busy == 0
