from __future__ import annotations

import pytest

from configsvc.access.administration import PrincipalBook, find_principal, land_on, principal_names
from configsvc.access.credentials import token_hash
from configsvc.access.decide import Access
from configsvc.core.changes import Author
from configsvc.core.errors import (
    DocumentInvalid,
    NameInvalid,
    PrincipalExists,
    PrincipalNotFound,
    PrincipalsConflict,
    Unauthorized,
)
from configsvc.core.names import principal_path
from configsvc.core.patterns import parse_pattern
from configsvc.core.principals import Principal, Role, Token, format_time
from configsvc.documents.principals import MAX_TOKENS
from configsvc.store.memory import MemoryStore
from tests.access.book import Book, bearer, token_of

NOW_S = 1_800_000_000.0
DAY_S = 86_400


def principal(name: str, role: Role = Role.ADMIN, path: str = "**") -> Principal:
    return Principal(name, ((parse_pattern(path), role),), (Token(token_hash(token_of(name))),))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def book(store: MemoryStore) -> PrincipalBook:
    return PrincipalBook(land_on(store, Author("ops", "ops@localhost")), now=lambda: NOW_S)


def names(store: MemoryStore) -> list[str]:
    return principal_names(store.snapshot())


def test_the_first_principal_is_an_admin(store: MemoryStore, book: PrincipalBook) -> None:
    with pytest.raises(PrincipalsConflict, match="nobody would be left"):
        book.create(principal("bot", Role.WRITER))
    assert names(store) == []
    outcome = book.create(principal("admin"))
    assert (outcome.changed, outcome.revision) == (True, 2)
    book.create(principal("bot", Role.WRITER))
    assert names(store) == ["admin", "bot"]
    assert Access(store.snapshot).authenticate(bearer("bot")) == principal("bot", Role.WRITER)


def test_a_name_is_taken_once(book: PrincipalBook) -> None:
    book.create(principal("admin"))
    with pytest.raises(PrincipalExists):
        book.create(principal("admin"))


@pytest.mark.parametrize("name", ["anonymous", "a/b", "Bot", "", "../x", "x.yaml", "a\n"])
def test_a_name_is_in_the_grammar(book: PrincipalBook, name: str) -> None:
    with pytest.raises(NameInvalid, match="principal: "):
        book.create(principal(name))
    with pytest.raises(NameInvalid):
        book.revoke(name)


def test_a_rotated_token_goes_on_for_the_overlap(store: MemoryStore, book: PrincipalBook) -> None:
    book.create(principal("admin"))
    book.rotate("admin", Token("f" * 64), overlap_s=DAY_S)
    found = find_principal(store.snapshot(), "admin")
    assert isinstance(found, Principal)
    assert found.tokens == (
        Token(token_hash(token_of("admin")), expires=format_time(NOW_S + DAY_S)),
        Token("f" * 64),
    )
    book.rotate("admin", Token("e" * 64), overlap_s=2 * DAY_S)
    found = find_principal(store.snapshot(), "admin")
    assert isinstance(found, Principal)
    assert [token.expires for token in found.tokens] == [
        format_time(NOW_S + DAY_S),
        format_time(NOW_S + 2 * DAY_S),
        "",
    ]


def test_a_rotation_without_overlap_ends_the_old_tokens_at_once(
    store: MemoryStore, book: PrincipalBook
) -> None:
    book.create(principal("admin"))
    book.rotate("admin", Token("f" * 64), overlap_s=0)
    with pytest.raises(Unauthorized):
        Access(store.snapshot).authenticate(bearer("admin"))


def test_a_token_that_it_has_already_is_a_conflict(store: MemoryStore, book: PrincipalBook) -> None:
    book.create(principal("admin"))
    before = store.snapshot().revision
    with pytest.raises(PrincipalsConflict, match="is one of admin already"):
        book.rotate("admin", Token(token_hash(token_of("admin"))), overlap_s=DAY_S)
    assert store.snapshot().revision == before


def test_more_tokens_than_a_principal_may_have_are_a_conflict(book: PrincipalBook) -> None:
    book.create(principal("admin"))
    for number in range(1, MAX_TOKENS):
        book.rotate("admin", Token(f"{number:064x}"), overlap_s=DAY_S)
    with pytest.raises(PrincipalsConflict, match=f"has {MAX_TOKENS} that have not expired"):
        book.rotate("admin", Token("f" * 64), overlap_s=DAY_S)
    book.rotate("admin", Token("f" * 64), overlap_s=0)


def test_one_token_can_be_revoked(store: MemoryStore, book: PrincipalBook) -> None:
    book.create(principal("admin"))
    book.rotate("admin", Token("f" * 64), overlap_s=DAY_S)
    for wrong in ("", "fffffff", "e" * 8, token_hash(token_of("admin"))[:7]):
        with pytest.raises(PrincipalNotFound):
            book.revoke_token("admin", wrong)
    book.revoke_token("admin", token_hash(token_of("admin"))[:8])
    with pytest.raises(Unauthorized):
        Access(store.snapshot).authenticate(bearer("admin"))
    with pytest.raises(PrincipalsConflict, match="nobody would be left"):
        book.revoke_token("admin", "f" * 8)


def test_the_last_admin_is_not_revoked(store: MemoryStore, book: PrincipalBook) -> None:
    book.create(principal("admin"))
    book.create(principal("second"))
    book.revoke("admin")
    with pytest.raises(PrincipalsConflict, match="nobody would be left"):
        book.revoke("second")
    assert names(store) == ["second"]


@pytest.mark.parametrize("act", ["rotate", "revoke", "revoke_token"])
def test_who_does_not_exist_is_told(book: PrincipalBook, act: str) -> None:
    acts = {
        "rotate": lambda: book.rotate("nobody", Token("f" * 64), overlap_s=0),
        "revoke": lambda: book.revoke("nobody"),
        "revoke_token": lambda: book.revoke_token("nobody", "f" * 8),
    }
    with pytest.raises(PrincipalNotFound, match="nobody does not exist"):
        acts[act]()


def test_a_file_that_is_not_valid_is_listed_with_why() -> None:
    book = Book()
    book.put(principal_path("odd"), b"x: 1\n")
    book.put(".configsvc/principals/README", b"x")
    assert principal_names(book.store.snapshot()) == ["odd"]
    assert isinstance(find_principal(book.store.snapshot(), "odd"), DocumentInvalid)
