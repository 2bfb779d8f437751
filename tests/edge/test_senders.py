"""Whose bodies are read: over the real application, with principals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from configsvc.app import create_app
from configsvc.service import ConfigService
from configsvc.settings import Settings
from tests.access.book import Book, bearer
from tests.edge.running import ask, running

MOST = "Content-Length: 16777216"


@pytest.fixture(scope="module")
def book() -> Book:
    made = Book()
    made.add("admin", all="admin")
    return made


@pytest.fixture(scope="module")
def app(book: Book) -> Flask:
    settings = Settings()
    service = ConfigService(book.store, bounds=settings.bounds)
    return create_app(service, settings, access=book.access)


@pytest.fixture(scope="module")
def port(app: Flask, book: Book) -> Iterator[int]:
    with running(app, Settings(), access=book.access) as port:
        yield port


def head(target: str, *headers: str, method: str = "POST") -> bytes:
    lines = (f"{method} {target} HTTP/1.1", "Host: localhost", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("target", ["/api/v1/commits", "/config?service=a", "/nowhere"])
@pytest.mark.parametrize("framing", [MOST, "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("authorization", ["", bearer("nobody"), "Bearer short"])
def test_a_body_without_a_credential_is_refused_before_a_byte_of_it_is_read(
    app: Flask, port: int, target: str, framing: str, authorization: str
) -> None:
    sent = [f"Authorization: {authorization}"] if authorization else []
    # No byte of the body follows, and nobody is told to go on: what comes is the answer.
    answer = ask(port, head(target, framing, "Expect: 100-continue", *sent))
    expected = app.test_client().post(target, headers=[tuple(line.split(": ")) for line in sent])
    assert (answer.status, answer.body) == (401, expected.data)
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == expected.headers["Content-Type"]


def test_a_route_that_needs_no_credential_answers_without_the_body(port: int) -> None:
    assert ask(port, head("/healthz", MOST, method="GET")).status == 200


def test_a_body_with_a_credential_is_read(port: int) -> None:
    body = b'{"v": 1}'
    lines = ("Content-Type: application/json", "Connection: close", f"Authorization: {bearer('admin')}")
    request = head("/api/v1/configs/a", f"Content-Length: {len(body)}", *lines, method="PUT")
    assert ask(port, request + body).status == 201
