"""Every route x method x credential: the status, and that nothing leaks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configsvc.access.credentials import token_hash
from configsvc.access.decide import Action
from configsvc.app import create_app
from configsvc.core.changes import Outcome
from configsvc.core.principals import format_time
from configsvc.service import Ask, ConfigService
from configsvc.service.changes import SetMeta
from configsvc.settings import Settings
from configsvc.store.base import Write
from configsvc.store.memory import MemoryStore
from configsvc.store.objects import object_id
from tests.access.book import Book, bearer, token_of
from tests.api.matrix import (
    ABOUT_ONE,
    BODIES,
    DONE,
    MATRIX,
    NO_CREDENTIAL,
    ONE,
    PUBLIC,
    SCHEMA,
    SECRET,
    V1,
    WHO,
)
from tests.api.v1.calls import JSON, MERGE
from tests.service.asking import json_put

pytestmark = pytest.mark.slow

COMMITS = {2: object_id("commit", f"{object_id('commit', b'1').hex()} 2".encode()).hex()}
"""Ids of the commits of a `MemoryStore` by revision."""


@pytest.fixture
def book() -> Book:
    book = Book(MemoryStore())
    book.put("here/there.json", json.dumps({"v": SECRET}).encode() + b"\n")
    book.put(".configsvc/services/here/there.yaml", b"owner: the team\n")
    for path in ("here/there.json", "here/_default.json", "_default.json"):
        book.put(f".configsvc/schemas/{path}", b"{}\n")
    book.add("admin", all="admin")
    book.add("reader-here", here__all="reader")
    book.add("reader-elsewhere", elsewhere__all="reader")
    book.add("writer-here", here__all="writer")
    book.add("writer-elsewhere", elsewhere__all="writer", here="writer")
    book.add("expired", expires=format_time(book.now_s), all="admin")
    book.add("revoked", all="admin")
    book.remove("revoked")
    return book


@pytest.fixture
def app(book: Book) -> Flask:
    return create_app(ConfigService(book.store), Settings(), access=book.access)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def header(who: str) -> dict[str, str]:
    if who == "no token":
        return {}
    return {"Authorization": bearer("nobody" if who == "bad token" else who.replace(" ", "-"))}


def expected(path: str, method: str, who: str) -> int:
    row = MATRIX[path, method]
    found = row[who] if row is PUBLIC or who not in NO_CREDENTIAL else NO_CREDENTIAL[who]
    return DONE.get((path, method), found) if found == 200 else found


def ask(client: FlaskClient, path: str, method: str, who: str, service: str = "here/there") -> TestResponse:
    """Ask a route about a service, or the folder that it is in, as one of `WHO`."""
    query = {"service": service} if path in ("/config", f"{V1}/validate", f"{V1}/watch") else {}
    body = BODIES.get((path, method))
    if (path, method) == (f"{V1}/commits", "POST"):
        body = {"changes": [{"op": "put", "service": service, "value": {"v": "other"}}]}
    about = service.rpartition("/")[0] if path == f"{SCHEMA}/-/default" else service
    target = path.replace("<service:service>", about).replace("<version>", "0").replace("<file>", "page.js")
    target = target.replace("<service:commit_id>", commit_of(service)).replace("<name>", "reader-elsewhere")
    target = target.replace("<token_id>", token_hash(token_of("reader-elsewhere"))[:8])
    data = None if body is None else json.dumps(body)
    kind = MERGE if (path, method) == (ONE, "PATCH") else JSON if data else None
    headers = header(who)
    return client.open(
        target, method=method, query_string=query, data=data, content_type=kind, headers=headers
    )


def commit_of(service: str) -> str:
    """Return the commit that made `here/there`; for another service one that nobody made."""
    return COMMITS[2] if service == "here/there" else "0" * 40


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield rule.rule, method


def test_every_route_is_in_the_matrix(app: Flask) -> None:
    assert set(routes(app)) == set(MATRIX)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("path", "method"), MATRIX)
def test_the_right_status_for_everyone(client: FlaskClient, path: str, method: str, who: str) -> None:
    response = ask(client, path, method, who)
    assert response.status_code == expected(path, method, who)
    assert ("WWW-Authenticate" in response.headers) is (response.status_code == 401)


@pytest.mark.parametrize("who", [who for who in WHO if "elsewhere" in who or who in NO_CREDENTIAL])
@pytest.mark.parametrize(("path", "method"), ABOUT_ONE)
def test_what_one_may_not_read_answers_as_if_it_did_not_exist(
    client: FlaskClient, path: str, method: str, who: str
) -> None:
    there, missing = (ask(client, path, method, who, name) for name in ("here/there", "her3/ther3"))
    assert there.status_code == missing.status_code
    about = there.data.replace(b"here/there", b"her3/ther3").replace(b"here/**", b"her3/**")
    assert about.replace(COMMITS[2].encode(), b"0" * 40) == missing.data
    ours = {name: value for name, value in there.headers.items() if name != "Date"}
    assert ours == {name: value for name, value in missing.headers.items() if name != "Date"}
    assert SECRET.encode() not in there.data
    assert "ETag" not in there.headers


@pytest.mark.parametrize(
    ("who", "may"), [("reader elsewhere", False), ("writer elsewhere", True), ("writer here", None)]
)
def test_it_is_the_named_service_that_is_asked_for(
    book: Book, client: FlaskClient, who: str, may: bool | None
) -> None:
    """`may`: change it; None: not even read it."""
    book.put("elsewhere/x.json", b'{"v": 1}\n')
    assert ask(client, "/config", "GET", who, "elsewhere/x").status_code == (404 if may is None else 200)
    status = {True: 200, False: 403, None: 404}[may]
    assert ask(client, "/config", "PATCH", who, "elsewhere/x").status_code == status


def test_who_may_only_read_is_told_who_may_write(client: FlaskClient) -> None:
    response = ask(client, "/config", "PATCH", "reader here")
    (detail,) = response.get_json()["details"]
    assert detail["owner"] == "the team"
    assert detail["message"] == (
        "here/there: reader-here may not change it "
        "(expected: the role writer on here/there; its owner is 'the team')"
    )


def test_a_service_that_the_body_names_is_held_to_the_same_right(book: Book, client: FlaskClient) -> None:
    before = book.store.snapshot().revision
    body = {"service": "here/new"}
    for who, status in (("writer elsewhere", 404), ("reader here", 403), ("no token", 401)):
        assert client.post("/config", json=body, headers=header(who)).status_code == status
    assert book.store.snapshot().revision == before


@pytest.mark.parametrize("path", ["/nothing", "/config/", "/config//x", "/api/v2/configs", "/api/v1/nothing"])
def test_an_unknown_path_needs_a_credential_before_it_is_unknown(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers=header("admin")).status_code == 404


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PUT", "OPTIONS", "HEAD"])
def test_another_method_gets_past_nothing(client: FlaskClient, method: str) -> None:
    assert client.open("/config?service=here/there", method=method).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Nacos-Server"},
        {"X-Forwarded-User": "admin"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-HTTP-Method-Override": "GET"},
        {"X-Original-URL": "/healthz"},
        {"Cookie": f"token={token_of('admin')}"},
        {"Authorization": "Bearer null"},
        {"Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"admin:").decode()},
    ],
)
def test_nothing_but_the_credential_lets_one_in(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/config?service=here/there", headers=headers).status_code == 401


@pytest.mark.parametrize("place", ["token", "access_token", "authorization"])
def test_a_token_in_the_url_is_no_credential(client: FlaskClient, place: str) -> None:
    response = client.get("/config", query_string={"service": "here/there", place: token_of("admin")})
    assert response.status_code == 401
    assert token_of("admin").encode() not in response.data


def test_git_and_old_clients_send_the_token_as_a_password(client: FlaskClient) -> None:
    pair = base64.b64encode(f"anyone:{token_of('reader-here')}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    assert client.get("/config?service=here/there", headers=headers).status_code == 200


def test_a_revoked_token_fails_on_the_next_request(book: Book, client: FlaskClient) -> None:
    assert ask(client, "/config", "GET", "reader here").status_code == 200
    book.remove("reader-here")
    assert ask(client, "/config", "GET", "reader here").status_code == 401


def test_the_principal_is_the_author_whatever_the_client_says(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    submit = MemoryStore.submit

    def noted(store: MemoryStore, write: Write) -> Future[Outcome]:
        seen.append(str(write.author))
        return submit(store, write)

    monkeypatch.setattr(MemoryStore, "submit", noted)
    client.patch(
        "/config",
        query_string={"service": "here/there", "message": "Author: admin <admin@example.com>"},
        json={"v": 3, "author": "admin"},
        headers=header("writer here") | {"Config-Author": "admin", "From": "admin@example.com"},
    )
    assert seen == ["writer-here <writer-here@configsvc.invalid>"]


def test_a_request_id_of_somebody_else_tells_nothing(client: FlaskClient) -> None:
    url, headers = ONE.replace("<service:service>", "here/there"), {"Config-Request-Id": "rid"}
    assert client.put(url, json={"v": 4}, headers=headers | header("admin")).status_code == 200
    for body in ({"v": 4}, {"v": 5}):
        response = client.put(url, json=body, headers=headers | header("writer elsewhere"))
        assert (response.status_code, "ETag" in response.headers) == (404, False)
    assert client.put(url, json={"v": 6}, headers=headers | header("writer here")).status_code == 200


def test_a_name_that_is_none_is_not_kept(book: Book, client: FlaskClient) -> None:
    before = len(book.access._current().table.roles)
    for _ in range(3):
        response = client.get(f"/config?service={'x' * 5000}", headers=header("reader here"))
        assert response.status_code == 400
    assert not book.access.may(book.access.authenticate(bearer("reader-here")), Action.READ, "x" * 5000)
    assert len(book.access._current().table.roles) == before


def test_a_route_that_does_not_ask_has_its_answer_withheld(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: SECRET)
    response = client.get("/forgotten", headers=header("admin"))
    assert response.status_code == 500
    assert SECRET.encode() not in response.data
    assert "forgotten answered without asking" in caplog.text


@pytest.mark.parametrize(("who", "is_told"), [("no token", False), ("reader here", False), ("admin", True)])
def test_readiness_names_nothing_to_those_who_may_not_read_everything(
    book: Book, who: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = ConfigService(book.store)
    status = service.status()
    told = type(status)(status.revision, problems={"x": "y"}, local_edits=("here/there.json",))
    monkeypatch.setattr(service, "status", lambda: told)
    client = create_app(service, Settings(), access=book.access).test_client()
    response = client.get("/readyz", headers=header(who))
    assert response.status_code == 503
    assert ("local_edits" in response.get_json()) is is_told
    assert ("problems" in response.get_json()) is is_told


def items(client: FlaskClient, path: str, who: str) -> list[dict[str, object]]:
    """Return what a list shows, all its pages."""
    found, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = client.get(path, query_string=query, headers=header(who)).get_json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_lists_show_what_one_may_read(book: Book, client: FlaskClient) -> None:
    for number in range(5):
        book.put(f"elsewhere/s{number}.json", b"{}\n")
        book.put(f"here/s{number}.json", b"{}\n")
    here = {"here/there", *(f"here/s{number}" for number in range(5))}
    assert {item["service"] for item in items(client, f"{V1}/configs", "reader here")} == here
    assert len(items(client, f"{V1}/configs", "admin")) == 11
    schemas = [item["schema"] for item in items(client, f"{V1}/schemas", "reader here")]
    assert schemas == ["here/-/default", "here/there"]
    assert items(client, f"{V1}/schemas", "reader elsewhere") == []
    assert len(items(client, f"{V1}/schemas", "admin")) == 3


def test_history_shows_what_one_may_read(book: Book, client: FlaskClient) -> None:
    service = ConfigService(book.store)
    both = [json_put("here/there", {"v": 2}), json_put("elsewhere/x", {"v": SECRET})]
    service.commit(both, ask=Ask(message="Change here/there and elsewhere/x"))
    service.commit([json_put("elsewhere/x", {"v": 3})])
    service.commit([SetMeta("elsewhere/x", owner="x")])
    service.commit([json_put("here/there", {"v": 3})], ask=Ask(message="Change here/there alone"))
    shown = items(client, f"{V1}/commits", "reader here")
    assert [item["message"].partition("\n")[0] for item in shown[:2]] == [  # type: ignore[attr-defined]
        "Change here/there alone",
        "(not shown: the commit changed other things too)",
    ]
    assert [made["service"] for item in shown for made in item["services"]] == ["here/there"] * 3  # type: ignore[attr-defined]
    assert "elsewhere" not in json.dumps(shown)
    versions = items(client, f"{V1}/configs/here/there/-/versions", "reader here")
    assert "elsewhere" not in json.dumps(versions)
    assert len(versions) == 3
    everything = json.dumps(items(client, f"{V1}/commits", "admin"))
    assert "Change here/there and elsewhere/x" in everything
    hidden = next(each for each in items(client, f"{V1}/commits", "admin") if each not in shown)
    assert client.get(f"{V1}/commits/{hidden['commit_id']}", headers=header("reader here")).status_code == 404


def test_a_read_as_of_a_commit_tells_nothing_of_commits_that_are_hidden(
    book: Book, client: FlaskClient
) -> None:
    book.put("elsewhere/x.json", b"{}\n")
    made = client.get(f"{V1}/commits?limit=1", headers=header("admin")).get_json()["items"][0]["commit_id"]
    book.put("here/late.json", b"{}\n")

    def answer(commit_id: str) -> str:
        response = client.get(f"{V1}/configs/here/late?at={commit_id}", headers=header("reader here"))
        assert response.status_code == 404
        return response.text.replace(commit_id, "ID")

    assert answer(made) == answer("0" * 40)


def test_a_commit_of_many_changes_needs_the_right_to_each(book: Book, client: FlaskClient) -> None:
    before = book.store.snapshot().revision
    named = ("here/there", "elsewhere/x")
    changes: list[object] = [{"op": "put", "service": name, "value": {}} for name in named]
    for query in ("", "?dry_run=true"):
        response = client.post(
            f"{V1}/commits{query}", json={"changes": changes}, headers=header("writer here")
        )
        assert response.status_code == 404
        assert response.get_json()["details"][0]["index"] == 1
    assert book.store.snapshot().revision == before


def test_who_has_no_right_learns_nothing_from_a_dry_run(client: FlaskClient) -> None:
    for who, status in (("reader here", 403), ("writer elsewhere", 404)):
        response = client.put(
            f"{ONE.replace('<service:service>', 'here/there')}?dry_run=true", json={}, headers=header(who)
        )
        assert response.status_code == status
        assert SECRET.encode() not in response.data
