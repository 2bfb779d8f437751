from __future__ import annotations

import pytest

from configsvc.access.decide import Action
from configsvc.access.landing import require_at
from configsvc.core.changes import ANONYMOUS, Plan
from configsvc.core.errors import Forbidden, ServiceNotFound, Unauthorized
from configsvc.core.names import principal_path
from configsvc.store.base import View, Write
from configsvc.store.gitstore import GitStore
from tests.access.book import Book, bearer


@pytest.fixture
def book() -> Book:
    book = Book()
    book.add("admin", all="admin")
    book.add("bot", a="writer", b="reader")
    return book


def test_a_right_that_is_still_there_is_no_hindrance(book: Book) -> None:
    admission = book.access.admit(bearer("bot"))
    require_at(book.store.snapshot(), admission, Action.WRITE, "a")
    require_at(book.store.snapshot(), admission, Action.READ, "b")


def test_what_the_state_does_not_allow_is_refused(book: Book) -> None:
    admission = book.access.admit(bearer("bot"))
    with pytest.raises(Forbidden):
        require_at(book.store.snapshot(), admission, Action.WRITE, "b")
    with pytest.raises(ServiceNotFound):
        require_at(book.store.snapshot(), admission, Action.WRITE, "c")
    book.add("bot", a="reader")
    with pytest.raises(Forbidden):
        require_at(book.store.snapshot(), admission, Action.WRITE, "a")


@pytest.mark.parametrize("data", [None, b"{}", b"x: [", b'roles: {"**": admin}\n'])
def test_a_token_that_was_revoked_is_refused(book: Book, data: bytes | None) -> None:
    admission = book.access.admit(bearer("bot"))
    book.put(principal_path("bot"), data)
    with pytest.raises(Unauthorized, match="was revoked"):
        require_at(book.store.snapshot(), admission, Action.WRITE, "a")


def test_whoever_needed_no_credential_needs_one_once_there_are_principals() -> None:
    book = Book()
    admission = book.access.admit(None)
    require_at(book.store.snapshot(), admission, Action.ADMINISTER, "**")
    book.add("admin", all="admin")
    with pytest.raises(Unauthorized):
        require_at(book.store.snapshot(), admission, Action.READ, "a")


def test_a_write_is_refused_when_its_right_goes_between_plan_and_landing(
    tmp_path_factory: pytest.TempPathFactory, book: Book
) -> None:
    """The plan is made for the first time before the revocation, and again after it."""
    admission = book.access.admit(bearer("bot"))
    path = principal_path("bot")
    content = book.store.snapshot().read(path)
    with GitStore.open(tmp_path_factory.mktemp("git") / "repo") as store:
        store.submit(Write(lambda view: Plan({path: content}, "x"), ANONYMOUS)).result()
        made: list[int] = []

        def plan(view: View) -> Plan:
            require_at(view, admission, Action.WRITE, "a")
            if not made:
                made.append(1)
                store.submit(Write(lambda view: Plan({path: None}, "revoke"), ANONYMOUS)).result()
            return Plan({"a.json": b"{}\n"}, "x")

        with pytest.raises(Unauthorized):
            store.submit(Write(plan, ANONYMOUS)).result()
        assert store.snapshot().find("a") is None
