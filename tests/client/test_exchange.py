"""Retries, choice of server, reads of one's own writes: with a transport that plays the network."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Iterable

import pytest

from configsvc.client import (
    Answer,
    AnswerInvalid,
    AsyncClient,
    Client,
    ClientClosed,
    NoAnswer,
    Refused,
    Request,
    Retries,
)
from configsvc.client.endpoints import ILL_FOR_S, Endpoints
from configsvc.core import errors
from configsvc.testing import AsyncFakeTransport, FakeTransport

AT_ONCE = Retries(attempts=4, first_delay_s=0.0)
WRITTEN = {
    "service": "a",
    "version": 3,
    "revision": 9,
    "commit_id": "c",
    "etag": '"t"',
    "format": "json",
    "changed": True,
}
DOCUMENT = Answer(200, {"config-version": "3", "config-revision": "9", "etag": '"t"'}, b'{"x": 1}')
LANDED = Answer(200, {"config-revision": "9"}, json.dumps(WRITTEN).encode())
DEAD = NoAnswer("gone")


def problem(status: int, code: str, **headers: str) -> Answer:
    """Return an error as the server answers it."""
    body = {"status": status, "code": code, "detail": "why", "details": [{"version": 2}]}
    return Answer(status, headers, json.dumps(body).encode())


def playing(*came: Answer | NoAnswer) -> Callable[[str, Request], Answer]:
    """Return a handler that answers these, one after the other."""
    left = iter(came)

    def handler(base_url: str, request: Request) -> Answer:
        answer = next(left)
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    return handler


def fake(came: Iterable[Answer | NoAnswer], *urls: str) -> tuple[Client, FakeTransport]:
    """Return a client and the transport below it."""
    transport = FakeTransport(playing(*came))
    return Client(urls or ("http://one",), retries=AT_ONCE, transport=transport), transport


@pytest.mark.parametrize(
    "first",
    [
        DEAD,
        problem(503, "unavailable"),
        problem(503, "outcome-unknown"),
        problem(408, "request-timeout"),
        Answer(502),
    ],
    ids=str,
)
def test_a_write_is_repeated_with_the_same_request_id(first: Answer | NoAnswer) -> None:
    client, transport = fake([first, LANDED])
    client.put("a", {"x": 1})
    ids = [request.headers["Config-Request-Id"] for _, request in transport.sent]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_two_writes_have_two_request_ids() -> None:
    client, transport = fake([LANDED, LANDED])
    client.put("a", {"x": 1})
    client.put("a", {"x": 1})
    assert len({request.headers["Config-Request-Id"] for _, request in transport.sent}) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(404, "service-not-found"), errors.ServiceNotFound),
        (problem(412, "precondition-failed"), errors.PreconditionFailed),
        (problem(422, "schema-violation"), errors.SchemaViolated),
        (problem(401, "unauthorized"), errors.Unauthorized),
        (problem(500, "internal"), Refused),
        (problem(400, "code-of-tomorrow"), Refused),
    ],
    ids=str,
)
def test_an_error_is_raised_at_once_as_the_class_of_its_code(answer: Answer, kind: type[Exception]) -> None:
    client, transport = fake([answer])
    with pytest.raises(kind) as caught:
        client.get("a")
    assert len(transport.sent) == 1
    error = caught.value
    assert isinstance(error, Refused)
    told = json.loads(answer.body)
    assert (error.status, error.code, error.message) == (answer.status, told["code"], "why")
    assert error.details == ({"version": 2},)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.status, copy.message) == (type(error), error.status, "why")


def test_it_gives_up_after_so_many_attempts() -> None:
    client, transport = fake([DEAD] * 4)
    with pytest.raises(NoAnswer):
        client.get("a")
    assert len(transport.sent) == 4


def test_a_longer_wait_than_the_client_has_is_not_begun() -> None:
    client, transport = fake([problem(503, "unavailable", **{"retry-after": "3600"})])
    with pytest.raises(errors.Unavailable):
        client.get("a")
    assert len(transport.sent) == 1


def test_another_server_is_asked_when_one_fails_and_preferred_while_that_is_fresh() -> None:
    client, transport = fake([DEAD, DOCUMENT, DOCUMENT], "http://one", "http://two/")
    client.get("a")
    client.get("a")
    assert [url for url, _ in transport.sent] == ["http://one", "http://two", "http://two"]


def test_a_server_is_tried_again_after_a_while() -> None:
    now = 0.0
    endpoints = Endpoints(["http://one", "http://two"], clock=lambda: now)
    endpoints.failed("http://one")
    assert endpoints.choose() == "http://two"
    now = ILL_FOR_S
    assert endpoints.choose() == "http://one"


def test_when_all_are_ill_the_one_that_failed_first_is_asked() -> None:
    now = 0.0
    endpoints = Endpoints(["http://one", "http://two"], clock=lambda: now)
    endpoints.failed("http://two")
    now = 1.0
    endpoints.failed("http://one")
    assert endpoints.choose() == "http://two"


def test_who_wrote_asks_for_no_older_state() -> None:
    client, transport = fake([LANDED, problem(412, "revision-unreached"), DOCUMENT])
    client.put("a", {"x": 1})
    client.get("a")
    assert client.min_revision == 9
    assert [request.params.get("min_revision") for _, request in transport.sent] == [None, "9", "9"]


def test_a_redirection_or_a_page_of_a_proxy_is_no_answer_of_this_api() -> None:
    client, _ = fake([Answer(302), Answer(200, {"config-version": "1", "config-revision": "1"}, b"<html>")])
    with pytest.raises(AnswerInvalid):
        client.get("a")
    with pytest.raises(AnswerInvalid):
        client.get("a")


def test_304_is_none() -> None:
    client, transport = fake([Answer(304)])
    assert client.get("a", if_none_match='"t"') is None
    assert transport.sent[0][1].headers["If-None-Match"] == '"t"'


def test_a_closed_client_refuses() -> None:
    client, transport = fake([])
    with client:
        pass
    assert transport.is_closed
    with pytest.raises(ClientClosed):
        client.get("a")


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:5000", "/srv/repo", "ftp://one", "http://", "http://one:port", "http://[::1"),
        *("http://a b", "http://one?x=1", "http://one#x", "http://one\n", b"http://one"),
    ],
)
def test_what_is_no_base_url_is_told_at_once(url: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="base_url: "):
            kind([url])


@pytest.mark.parametrize("url", ["http://me:hidden@one", "me:hidden@one", "https://hidden@one"])
def test_a_password_in_a_base_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match="base_url: has an @") as caught:
        Client(url)
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize("token", ["", "hidden\n", "hidden\r\nX: y", "hid den", "hiddén", "hidden\0"])
def test_what_is_no_token_is_refused_and_not_shown(token: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="token: ") as caught:
            kind("http://one", token=token)
        assert "hid" not in repr(caught.value)


def test_a_request_is_shown_without_its_token_and_its_document() -> None:
    transport = FakeTransport(playing(LANDED))
    with Client("http://one", token="hidden", transport=transport) as client:
        client.put("a", {"password": "hidden"})
    assert transport.sent[0][1].headers["Authorization"] == "Bearer hidden"
    assert "hidden" not in repr(transport.sent)


def test_a_name_outside_the_grammar_is_not_sent() -> None:
    client, transport = fake([])
    with pytest.raises(errors.NameInvalid):
        client.get("../etc/passwd")
    assert transport.sent == []


def refused(call: Callable[[Client], object]) -> str:
    """Return what a client says of a call that it does not send."""
    transport = FakeTransport(playing())
    with Client("http://one", transport=transport) as client, pytest.raises(errors.RequestInvalid) as caught:
        call(client)
    assert transport.sent == []
    return caught.value.message


@pytest.mark.parametrize("name", ["../configs/a", "..", "", "a/..", "a/-/other", "-/default/..", "/a"])
def test_no_name_of_a_schema_leads_elsewhere(name: str) -> None:
    assert refused(lambda client: client.delete_schema(name)).startswith("schema: ")
    assert refused(lambda client: client.put_schema(name, {})).startswith("schema: ")
    assert refused(lambda client: client.get_schema(name)).startswith("schema: ")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda client: client.get(None), "service: NoneType (expected: text)"),
        (lambda client: client.config(7), "service: int (expected: text)"),
        (lambda client: client.validate(b"a", {}), "service: bytes (expected: text)"),
        (lambda client: client.get_schema(None), "schema: NoneType (expected: text)"),
        (lambda client: client.get_commit(""), "commit_id: '' (expected: what names one)"),
        (lambda client: client.get_commit(None), "commit_id: None (expected: what names one)"),
        (lambda client: client.get_version("a", 1.5), "version: 1.5 (expected: what names one)"),
        (lambda client: client.delete_principal(".."), "principal: '..' (expected: what names one)"),
        (lambda client: client.revoke_token("a", ""), "token_id: '' (expected: what names one)"),
        (
            lambda client: client.put("a", {}, if_match='"é"'),
            "If-Match: '\"é\"' (expected: a tag",
        ),
        (
            lambda client: client.delete("a", if_match="x\r\nHost: y"),
            "If-Match: 'x\\r\\nHost: y' (expected: a tag",
        ),
        (
            lambda client: client.get("a", if_none_match=5),
            "If-None-Match: 5 (expected: a tag",
        ),
    ],
)
def test_what_cannot_be_sent_is_told_and_not_sent(call: Callable[[Client], object], told: str) -> None:
    assert refused(call).startswith(told)


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_nested_without_end_is_no_answer_of_this_api(status: int) -> None:
    deep = Answer(status, DOCUMENT.headers, b"[" * 200_000)
    transport = FakeTransport(playing(deep))
    with Client("http://one", transport=transport) as client, pytest.raises((AnswerInvalid, Refused)):
        client.get("a")


def test_operations_that_are_no_list_are_no_answer_of_this_api() -> None:
    transport = FakeTransport(playing(DOCUMENT))
    with Client("http://one", transport=transport) as client, pytest.raises(AnswerInvalid, match="list"):
        client.diff_operations("a")


def test_the_pause_grows_stays_bounded_and_never_undercuts_the_server() -> None:
    retries = Retries(first_delay_s=0.1, max_delay_s=1.0)
    assert all(0 <= retries.delay_s(1, 0) <= 0.1 for _ in range(100))
    assert max(retries.delay_s(20, 0) for _ in range(100)) <= 1.0
    assert all(2.0 <= retries.delay_s(1, 2.0) <= 2.1 for _ in range(100))


def test_the_asynchronous_client_makes_the_same_calls() -> None:
    transport = AsyncFakeTransport(playing(DEAD, LANDED, DOCUMENT))

    async def use() -> object:
        async with AsyncClient("http://one", token="secret", retries=AT_ONCE, transport=transport) as client:
            await client.put("a", {"x": 1})
            document = await client.get("a")
        assert document is not None
        return document.value

    assert asyncio.run(use()) == {"x": 1}
    assert transport.is_closed
    requests = [request for _, request in transport.sent]
    assert {request.headers["Authorization"] for request in requests} == {"Bearer secret"}
    assert requests[-1].params == {"min_revision": "9"}


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [("text/html", b"<p>", "content-type"), ("application/yaml", b"\xff", "UTF-8")],
)
def test_a_text_that_is_no_document_is_told(kind: str, body: bytes, told: str) -> None:
    answer = Answer(200, {**DOCUMENT.headers, "content-type": kind}, body)
    with (
        Client("http://a", transport=FakeTransport(playing(answer))) as client,
        pytest.raises(AnswerInvalid, match=told),
    ):
        client.get_text("payments/api")


@pytest.mark.parametrize("given", [{}, {"value": {}, "text": "{}"}])
@pytest.mark.parametrize("name", ["put", "validate"])
def test_a_document_is_given_as_a_value_or_as_a_text(name: str, given: dict[str, object]) -> None:
    with (
        Client("http://a", transport=FakeTransport(playing())) as client,
        pytest.raises(ValueError, match=name),
    ):
        getattr(client, name)("payments/api", **given)
