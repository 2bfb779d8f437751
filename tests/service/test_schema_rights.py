"""Schemas of others: what a reference may lead to, and whom it holds up."""

from __future__ import annotations

import json
import time

import pytest

from configsvc.access.decide import Admission
from configsvc.core.errors import SchemaViolated
from configsvc.core.names import Format
from configsvc.service import Ask, ConfigService
from configsvc.service.changes import Change, DeleteSchema
from configsvc.service.farreferences import far_references
from configsvc.service.survey import Survey
from configsvc.store.memory import MemoryStore
from configsvc.validation.conformance import SchemaGate
from tests.access.book import Book, bearer
from tests.service.asking import integer_schema, json_put, schema_put

pytestmark = pytest.mark.slow

SECRET = "hunter2"
OWN = {"properties": {"pw": {"enum": [SECRET, "other"], "description": "the password of b"}}}
TO_B = {"$ref": "../b/secret.json"}
PROBE = "a/probe.json"


@pytest.fixture
def book() -> Book:
    book = Book(MemoryStore())
    book.add("admin", all="admin")
    book.add("admin-a", a__all="admin", shared__all="reader")
    book.add("admin-b", b__all="admin")
    book.add("friend", a__all="admin", b__all="reader")
    book.put(".configsvc/schemas/b/secret.json", json.dumps(OWN).encode())
    book.put(".configsvc/schemas/shared/types.json", b'{"type": "object"}\n')
    return book


@pytest.fixture
def service(book: Book, gate: SchemaGate) -> ConfigService:
    return ConfigService(book.store, gate=gate)


def ask(book: Book, who: str, *, dry_run: bool = False) -> Ask:
    by = book.access.admit(bearer(who))
    assert isinstance(by, Admission)
    return Ask(by.principal.author, by, dry_run=dry_run)


def refusal(service: ConfigService, asked: Ask, *changes: Change) -> str:
    with pytest.raises(SchemaViolated) as caught:
        service.commit(list(changes), ask=asked)
    return json.dumps([caught.value.message, list(caught.value.details)])


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_schema_that_one_may_not_read_is_as_one_that_is_not_there(
    service: ConfigService, book: Book, dry_run: bool
) -> None:
    by = ask(book, "admin-a", dry_run=dry_run)
    beside = json_put("a/probe", {"pw": 1})
    for changes in ((), (beside,)):
        there = refusal(service, by, schema_put(PROBE, TO_B), *changes)
        missing = refusal(service, by, schema_put(PROBE, {"$ref": "../b/absent.json"}), *changes)
        assert there == missing.replace("absent", "secret")
        assert "is not there (expected: a file b/secret.json)" in there
        assert "password" not in there
        assert SECRET not in there


@pytest.mark.parametrize("target", ["../_default.json", "../b/_default.json", "../admins.json"])
def test_the_schema_of_a_folder_above_or_beside_is_readable_to_its_readers_only(
    service: ConfigService, book: Book, target: str
) -> None:
    path = target.removeprefix("../")
    book.put(f".configsvc/schemas/{path}", b"{}\n")
    assert "is not there" in refusal(service, ask(book, "admin-a"), schema_put(PROBE, {"$ref": target}))
    service.commit([schema_put(PROBE, {"$ref": target})], ask=ask(book, "admin"))


@pytest.mark.parametrize(
    ("who", "schema"),
    [
        ("friend", TO_B),
        ("admin", TO_B),
        ("admin-a", {"$ref": "../shared/types.json"}),
        ("admin-a", {"$ref": "own.json"}),
    ],
)
def test_a_schema_may_refer_to_what_its_writer_may_read(
    service: ConfigService, book: Book, who: str, schema: object
) -> None:
    book.put(".configsvc/schemas/a/own.json", b"{}\n")
    assert service.commit([schema_put(PROBE, schema)], ask=ask(book, who)).outcome.changed


def test_what_is_reached_through_another_schema_counts_too(service: ConfigService, book: Book) -> None:
    book.put(".configsvc/schemas/shared/through.json", json.dumps(TO_B).encode())
    told = refusal(service, ask(book, "admin-a"), schema_put(PROBE, {"$ref": "../shared/through.json"}))
    assert "is not there" in told
    assert SECRET not in told


def test_a_right_that_is_gone_is_gone_for_the_next_change_of_the_schema(
    service: ConfigService, book: Book
) -> None:
    service.commit([schema_put(PROBE, TO_B)], ask=ask(book, "friend"))
    book.add("friend", a__all="admin")
    assert "is not there" in refusal(service, ask(book, "friend"), schema_put(PROBE, TO_B | {"title": "x"}))
    service.commit([schema_put(PROBE, integer_schema("n"))], ask=ask(book, "friend"))


@pytest.mark.parametrize(
    "change", [schema_put("b/secret.json", {"required": ["more"]}), DeleteSchema("b/secret.json")]
)
def test_the_owner_of_a_schema_is_not_held_up_by_those_who_refer_to_it(
    service: ConfigService, book: Book, change: Change
) -> None:
    service.commit([schema_put(PROBE, TO_B), json_put("a/probe", {"pw": SECRET})], ask=ask(book, "friend"))
    assert service.commit([change], ask=ask(book, "admin-b")).outcome.changed
    snapshot = service.snapshot()
    assert SECRET in service.document(snapshot, service.find_entry(snapshot, "a/probe")).decode()
    assert service.judge(snapshot, "a/probe", b'{"pw": "other"}', Format.JSON)


@pytest.mark.parametrize("who", ["admin", None])
def test_who_answers_for_both_is_told_of_both(service: ConfigService, book: Book, who: str | None) -> None:
    service.commit([schema_put(PROBE, TO_B), json_put("a/probe", {"pw": SECRET})], ask=ask(book, "friend"))
    asked = Ask() if who is None else ask(book, who)
    assert "a/probe.json" in refusal(service, asked, schema_put("b/secret.json", {"required": ["more"]}))
    assert PROBE in refusal(service, asked, DeleteSchema("b/secret.json"))


def test_what_the_owner_broke_for_others_is_found_by_the_survey(
    service: ConfigService, book: Book, gate: SchemaGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("configsvc.service.survey.INTERVAL_S", 0.01)
    service.commit([schema_put(PROBE, TO_B), json_put("a/probe", {"pw": SECRET})], ask=ask(book, "friend"))
    with Survey(gate, service.snapshot) as survey:
        give_up_at = time.monotonic() + 30.0
        while not survey.findings.is_whole:
            assert time.monotonic() < give_up_at
        assert not survey.findings.services
        assert survey.findings.references == ("a/probe.json -> b/secret.json",)
        service.commit([schema_put("b/secret.json", {"required": ["more"]})], ask=ask(book, "admin-b"))
        while "a/probe" not in survey.findings.services:
            assert time.monotonic() < give_up_at, survey.findings


def test_references_from_before_are_followed_and_told(service: ConfigService, book: Book) -> None:
    book.put(f".configsvc/schemas/{PROBE}", json.dumps(TO_B).encode())
    book.put(".configsvc/schemas/a/inner.json", b'{"$ref": "probe.json"}\n')
    assert far_references(service.snapshot()) == (
        "a/inner.json -> b/secret.json",
        "a/probe.json -> b/secret.json",
    )
    assert service.judge(service.snapshot(), "a/probe", b'{"pw": 1}', Format.JSON)
    book.add("admin-a", a__all="admin", b__all="reader")
    assert far_references(service.snapshot()) == ()
