"""Versions that do not fit are told to the server, on the side and without their values."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from configsvc.client import Answer, Client, LiveOptions, NoAnswer, Request
from configsvc.client.live.config import Rejection
from configsvc.client.live.reports import Reports, report_of
from configsvc.testing import FakeServer
from configsvc.testing.fake import FakeServerTransport
from tests.client.live.test_async_live import eventually as eventually_async
from tests.client.live.waiting import PATIENCE_S, eventually

SECRET = "s3cret-value"
NAMED = LiveOptions(cache_dir=None, first_delay_s=0.005, max_delay_s=0.02, application="checkout")


@dataclass(frozen=True)
class Settings:
    timeout_s: float


@pytest.fixture
def server() -> FakeServer:
    return FakeServer({"pay/api": {"timeout_s": 10}})


def picky(document: Mapping[str, Any]) -> float:
    """Raise with the value in the message, as much code does."""
    return float(document["timeout_s"])


def test_a_version_that_does_not_fit_is_reported_once(server: FakeServer) -> None:
    with server.client(live=NAMED) as client:
        configs = [client.config("pay/api", bind=Settings) for _ in range(2)]
        server.put("pay/api", {"timeout_s": SECRET})
        eventually(lambda: server.rejections)
        server.cut()
        server.put("pay/api", {"timeout_s": 11})
        eventually(lambda: all(each.version == 2 for each in configs))
        server.put("pay/api", {"timeout_s": [SECRET]})
        eventually(lambda: len(server.rejections) == 2)
    assert [(each["version"], each["application"]) for each in server.rejections] == [
        (1, "checkout"),
        (3, "checkout"),
    ]


def test_coroutines_report_too_and_leave_no_task(server: FakeServer) -> None:
    async def main() -> None:
        async with server.async_client(live=NAMED) as client:
            await client.config("pay/api", bind=picky)
            server.put("pay/api", {"timeout_s": SECRET})
            await eventually_async(lambda: server.rejections)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert server.rejections[0]["problems"] == [{"pointer": "", "message": "ValueError"}]


class Stubborn(FakeServerTransport):
    """Treats reports as a test says."""

    def __init__(self, server: FakeServer, treat: Callable[[], Answer]) -> None:
        super().__init__(server)
        self.reports = 0
        self._treat = treat

    def send(self, base_url: str, request: Request) -> Answer:
        if request.method != "POST":
            return super().send(base_url, request)
        self.reports += 1
        return self._treat()


def no_answer() -> Answer:
    raise NoAnswer("gone")


def a_bug() -> Answer:
    raise RuntimeError("a bug")


@pytest.mark.parametrize(
    ("treat", "requests"),
    [
        (lambda: Answer(404, {}, b""), 1),
        (lambda: Answer(405, {}, b""), 1),
        (lambda: Answer(500, {}, b""), 1),
        (a_bug, 1),
        (no_answer, 2),
    ],
)
def test_a_server_that_takes_no_reports_is_left_alone_in_silence(
    server: FakeServer,
    caplog: pytest.LogCaptureFixture,
    treat: Callable[[], Answer],
    requests: int,
) -> None:
    caplog.set_level(logging.DEBUG, "configsvc.client")
    transport = Stubborn(server, treat)
    with Client(server.url, transport=transport, live=NAMED) as client:
        config = client.config("pay/api", bind=Settings)
        server.put("pay/api", {})
        eventually(lambda: "report: " in caplog.text)
        server.put("pay/api", {"timeout_s": 3})
        eventually(lambda: config.version == 2)
    assert transport.reports == requests
    loud = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert not [line for line in loud if "report" in line]


def test_nothing_waits_for_a_report_that_is_not_answered(server: FakeServer) -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow() -> Answer:
        asked.set()
        answered.wait(PATIENCE_S)
        return Answer(204)

    try:
        with Client(server.url, transport=Stubborn(server, slow), live=NAMED) as client:
            config = client.config("pay/api", bind=Settings)
            server.put("pay/api", {})
            assert asked.wait(PATIENCE_S)
            server.put("pay/api", {"timeout_s": 4})
            eventually(lambda: config.version == 2)
        assert not answered.is_set()
    finally:
        answered.set()


@pytest.mark.parametrize("end", [Reports.close, Reports.renew])
def test_a_closed_client_and_a_forked_one_send_nothing_of_before(end: Callable[[Reports], None]) -> None:
    sent: list[str] = []
    began, goes_on = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def send(call: Any, retries: object) -> None:
        threads.append(threading.current_thread())
        sent.append(call.request.path)
        began.set()
        goes_on.wait(PATIENCE_S)

    rejection = Rejection("", 0, "", (), 0.0)
    reports = Reports(send)
    reports.add(report_of("a", rejection, ""))
    assert began.wait(PATIENCE_S)
    reports.add(report_of("b", rejection, ""))
    end(reports)
    goes_on.set()
    threads[0].join(PATIENCE_S)
    assert sent == ["/api/v1/configs/a/-/rejections"]


def test_a_closed_client_takes_no_report() -> None:
    sent: list[object] = []
    reports = Reports(lambda call, retries: sent.append(call))
    reports.close()
    reports.add(report_of("a", Rejection("", 0, "", (), 0.0), ""))
    eventually(lambda: not [each for each in threading.enumerate() if each.name == "configsvc-reports"])
    assert sent == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_does_not_report_what_the_parent_does(server: FakeServer) -> None:
    server.put("pay/api", {})
    with server.client() as client:
        config = client.config("pay/api", bind=Settings, default=Settings(1.0))
        eventually(lambda: server.rejections)
        client.renew()  # what a forked process does
        eventually(lambda: config.status.is_connected)
        server.put("pay/api", {"timeout_s": 5})
        eventually(lambda: config.version == 2)
    assert len(server.rejections) == 1
