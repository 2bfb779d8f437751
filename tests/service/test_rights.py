"""A write asks for its right again on the state that it lands on."""

from __future__ import annotations

import pytest

from configsvc.access.decide import Action, Admission
from configsvc.core.errors import Forbidden, NotFound, ServiceNotFound, Unauthorized
from configsvc.service import Ask, ConfigService
from configsvc.service.changes import Change, DeleteSchema, DeleteService, PutSchema, Rollback, SetMeta
from configsvc.service.rights import right_for, schema_scope
from configsvc.store.memory import MemoryStore
from tests.access.book import Book, bearer
from tests.service.asking import json_put, schema_put


@pytest.fixture
def book() -> Book:
    book = Book(MemoryStore())
    book.add("admin", all="admin")
    book.add("bot", a="writer", b="reader", team__all="admin")
    book.put("a.json", b'{"n": 1}\n')
    book.put("b.json", b'{"n": 1}\n')
    return book


@pytest.fixture
def service(book: Book) -> ConfigService:
    return ConfigService(book.store)


def ask(admission: Admission, *, dry_run: bool = False) -> Ask:
    return Ask(admission.principal.author, admission, dry_run=dry_run)


@pytest.mark.parametrize(
    ("change", "action", "path"),
    [
        (json_put("a/b", {}), Action.WRITE, "a/b"),
        (DeleteService("a"), Action.WRITE, "a"),
        (Rollback("a", 0), Action.WRITE, "a"),
        (SetMeta("a", owner="x"), Action.WRITE, "a"),
        (PutSchema("a/b.json", b"{}"), Action.ADMINISTER, "a/b"),
        (DeleteSchema("a/_default.json"), Action.ADMINISTER, "a/**"),
    ],
)
def test_each_change_needs_its_right(change: Change, action: Action, path: str) -> None:
    assert right_for(change) == (action, path)


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("a.json", "a"),
        ("a/b.json", "a/b"),
        ("_default.json", "**"),
        ("a/_default.json", "a/**"),
        ("a/b/_default.json", "a/b/**"),
    ],
)
def test_a_schema_is_about_what_it_governs(path: str, scope: str) -> None:
    assert schema_scope(path) == scope


@pytest.mark.parametrize("dry_run", [False, True])
def test_all_changes_of_a_commit_have_to_be_allowed(
    book: Book, service: ConfigService, dry_run: bool
) -> None:
    asked = ask(book.access.admit(bearer("bot")), dry_run=dry_run)
    before = book.store.snapshot().revision
    service.commit([json_put("a", {"n": 1})], ask=asked)
    with pytest.raises(Forbidden) as forbidden:
        service.commit([json_put("a", {"n": 2}), json_put("b", {"n": 2})], ask=asked)
    assert forbidden.value.details[0]["index"] == 1
    with pytest.raises(ServiceNotFound):
        service.commit([json_put("a", {"n": 2}), json_put("c", {"n": 2})], ask=asked)
    with pytest.raises(Forbidden):
        service.commit([schema_put("a.json", {})], ask=asked)
    with pytest.raises(NotFound):
        service.commit([schema_put("_default.json", {})], ask=asked)
    assert book.store.snapshot().revision == before
    service.commit([json_put("team/x", {}), schema_put("team/_default.json", {})], ask=asked)


def test_the_principal_is_the_author(book: Book) -> None:
    assert ask(book.access.admit(bearer("bot"))).author.name == "bot"


def test_a_write_fails_once_its_token_was_revoked(book: Book, service: ConfigService) -> None:
    asked = ask(book.access.admit(bearer("bot")))
    book.remove("bot")
    with pytest.raises(Unauthorized):
        service.commit([json_put("a", {"n": 2})], ask=asked)


def test_whoever_runs_the_process_needs_no_token(service: ConfigService) -> None:
    service.commit([json_put("c", {"n": 2})])
