"""A follower played step by step against what a test says comes next, with a clock that is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from configsvc.client import Answer, LiveConfig, LiveOptions, NoAnswer, Retries
from configsvc.client.endpoints import Endpoints
from configsvc.client.exchange import Exchange, Send
from configsvc.client.live.binding import binder
from configsvc.client.live.book import Book
from configsvc.client.live.follower import Follower
from configsvc.client.live.steps import (
    Confirm,
    Hangup,
    LiveCame,
    LiveStep,
    Open,
    Opened,
    Receive,
    Save,
    Tell,
)

STREAM = Opened({"content-type": "text/event-stream", "config-revision": "5"})
GONE = NoAnswer("gone")
UNKNOWN = Answer(400, {}, json.dumps({"code": "request-invalid", "detail": "since"}).encode())
OPTIONS = LiveOptions(cache_dir=None, first_delay_s=1.0, max_delay_s=8.0, recheck_s=600.0)


def document(version: int, revision: int, etag: str = "") -> Answer:
    headers = {
        "config-version": str(version),
        "config-revision": str(revision),
        "etag": etag or f'"{version}"',
    }
    return Answer(200, headers, json.dumps({"n": version}).encode())


def change(revision: int, version: int, *, service: str = "a", deleted: bool = False) -> bytes:
    told = {"revision": revision, "services": [{"service": service, "version": version, "deleted": deleted}]}
    return f"id: {revision}\nevent: change\ndata: {json.dumps(told)}\n\n".encode()


class Play:
    """Runs the steps of a follower against what a test says comes next.

    Args:
        urls: Of the servers.
        services: What is followed.
    """

    def __init__(self, *urls: str, services: tuple[str, ...] = ("a",)) -> None:
        self.now_s = 1000.0
        self.exchange = Exchange(Endpoints(urls or ("http://one",), clock=self._clock), Retries(), None)
        self.book = Book(OPTIONS, self._clock)
        self.follower = Follower(self.book, self.exchange, OPTIONS, self._clock)
        self.configs: list[LiveConfig[Mapping[str, Any]]] = [
            LiveConfig(service, binder(None), None, self.book) for service in services
        ]
        for config in self.configs:
            self.book.add(config)
        self._steps = self.follower.steps()
        self._came: LiveCame = None
        self.done: list[LiveStep] = []

    def _clock(self) -> float:
        return self.now_s

    def step(self, came: LiveCame = None) -> LiveStep:
        """Hand in what came of the last step and return the next one of interest; others are done here."""
        self._came = came
        while True:
            step = self._steps.send(self._came)
            self.done.append(step)
            self._came = None
            if isinstance(step, Tell):
                assert isinstance(step.view, LiveConfig)
                step.view.deliver()
            elif isinstance(step, Save):
                self._came = True
            elif not isinstance(step, Hangup | Confirm):
                return step

    def open(self, since: str | None = None) -> Open:
        """Expect a watch to be begun; return how."""
        step = self.step(self._came)
        assert isinstance(step, Open)
        assert step.request.params.get("since") == since
        return step

    def expect(self, kind: type[LiveStep], came: LiveCame) -> LiveStep:
        """Hand in what came and expect a step of one kind."""
        step = self.step(came)
        assert isinstance(step, kind), step
        return step

    def read(self, step: LiveStep) -> dict[str, object]:
        """Return what a read asks for."""
        assert isinstance(step, Send)
        return {"path": step.request.path, **step.request.params, **step.request.headers}

    def reach(self, revision: int = 5) -> None:
        """Come to where a watch is received from and all is read."""
        self.open()
        self.expect(Send, STREAM)
        self.expect(Receive, document(0, revision))
        self.expect(Receive, b": heartbeat\n\n")
