from __future__ import annotations

import threading
from collections.abc import Collection, Iterator

import pytest

from configsvc.access.credentials import token_hash
from configsvc.access.decide import Action, Decision
from configsvc.core.errors import Forbidden, NotFound, ServiceNotFound, Unauthorized
from configsvc.core.names import principal_path
from configsvc.core.principals import ANYONE, NEVER_S, Principal, format_time, parse_time
from configsvc.service import ConfigService
from configsvc.store.memory import MemorySnapshot
from tests.access.book import Book, bearer, token_of


@pytest.fixture
def book() -> Book:
    return Book()


def test_without_principals_anyone_may_do_everything(book: Book) -> None:
    assert book.access.is_open
    assert book.access.authenticate(None) is ANYONE
    assert book.access.authenticate("nonsense") is ANYONE
    assert all(book.access.may(ANYONE, action, "**") for action in Action)


def test_the_first_principal_closes_the_service(book: Book) -> None:
    book.add("admin", all="admin")
    assert not book.access.is_open
    with pytest.raises(Unauthorized):
        book.access.authenticate(None)
    assert book.access.decide(ANYONE, Action.READ, "nginx") is Decision.HIDDEN


@pytest.mark.parametrize("name", ["x.yaml", "README.md", "deep/x.yaml"])
def test_anything_in_the_folder_of_the_principals_closes_the_service(book: Book, name: str) -> None:
    book.put(f".configsvc/principals/{name}", b"not valid: [")
    assert not book.access.is_open
    with pytest.raises(Unauthorized):
        book.access.authenticate(bearer("x"))


def test_a_token_says_who_asks(book: Book) -> None:
    bot = book.add("bot", payments__api="writer")
    book.add("admin", all="admin")
    admission = book.access.admit(bearer("bot"))
    assert admission.principal == bot
    assert (admission.ends_at_s, admission.token_sha256) == (NEVER_S, token_hash(token_of("bot")))


@pytest.mark.parametrize(
    "header", [None, "", "Bearer x", bearer("other"), f"Bearer {token_hash(token_of('bot'))}"]
)
def test_another_credential_is_refused(book: Book, header: str | None) -> None:
    book.add("bot", all="reader")
    with pytest.raises(Unauthorized):
        book.access.authenticate(header)


def test_a_token_is_refused_from_the_moment_it_expires(book: Book) -> None:
    expires = format_time(book.now_s + 10)
    book.add("bot", expires=expires, all="reader")
    book.now_s += 9
    admission = book.access.admit(bearer("bot"))
    assert admission.ends_at_s == parse_time(expires)
    assert book.access.is_current(admission)
    book.now_s += 1
    assert not book.access.is_current(admission)
    with pytest.raises(Unauthorized, match="expired at"):
        book.access.admit(bearer("bot"))


def test_a_principal_that_is_removed_may_do_nothing_from_that_commit_on(book: Book) -> None:
    book.add("admin", all="admin")
    bot = book.add("bot", all="writer")
    admission = book.access.admit(bearer("bot"))
    assert book.access.may(bot, Action.WRITE, "nginx")
    book.remove("bot")
    assert not book.access.is_current(admission)
    assert book.access.decide(bot, Action.WRITE, "nginx") is Decision.HIDDEN
    with pytest.raises(Unauthorized):
        book.access.admit(bearer("bot"))


def test_a_change_of_roles_takes_effect_with_its_commit(book: Book) -> None:
    bot = book.add("bot", all="writer")
    assert book.access.may(bot, Action.WRITE, "nginx")
    book.add("bot", all="reader")
    assert book.access.decide(bot, Action.WRITE, "nginx") is Decision.FORBIDDEN


def test_a_commit_that_touches_no_principals_leaves_the_epoch(book: Book) -> None:
    book.add("bot", all="reader")
    before = book.access.epoch
    admission = book.access.admit(bearer("bot"))
    book.put("nginx.json", b"{}\n")
    assert book.access.epoch == before
    assert book.access.is_current(admission)
    book.add("other", all="reader")
    assert book.access.epoch == before + 1


def test_only_a_file_that_changed_is_read_again(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        book.add(f"bot-{number}", all="reader")
    book.access.authenticate(bearer("bot-0"))
    read: list[int] = []
    blobs = MemorySnapshot.blobs

    def counted(snapshot: MemorySnapshot, blob_ids: Collection[str]) -> Iterator[tuple[str, bytes]]:
        read.append(len(blob_ids))
        return blobs(snapshot, blob_ids)

    monkeypatch.setattr(MemorySnapshot, "blobs", counted)
    book.add("bot-3", all="writer")
    assert book.access.authenticate(bearer("bot-0")).name == "bot-0"
    assert read == [1]


@pytest.mark.parametrize(
    ("action", "path", "decision"),
    [
        (Action.READ, "payments/api", Decision.ALLOWED),
        (Action.WRITE, "payments/api", Decision.ALLOWED),
        (Action.ADMINISTER, "payments/api", Decision.FORBIDDEN),
        (Action.READ, "shared/dns", Decision.ALLOWED),
        (Action.WRITE, "shared/dns", Decision.FORBIDDEN),
        (Action.READ, "nginx", Decision.HIDDEN),
        (Action.WRITE, "nginx", Decision.HIDDEN),
        (Action.ADMINISTER, "nginx", Decision.HIDDEN),
        (Action.ADMINISTER, "team/x", Decision.ALLOWED),
        (Action.ADMINISTER, "team/**", Decision.ALLOWED),
        (Action.READ, "**", Decision.HIDDEN),
        (Action.ADMINISTER, "**", Decision.HIDDEN),
    ],
)
def test_a_role_is_for_the_paths_it_names(book: Book, action: Action, path: str, decision: Decision) -> None:
    book.put(
        principal_path("bot"),
        b'roles: {payments/**: writer, "shared/*": reader, team/**: admin}\n'
        + f"tokens: [{{sha256: {token_hash(token_of('bot'))}}}]\n".encode(),
    )
    bot = book.access.authenticate(bearer("bot"))
    for _ in range(2):  # the second time from memory
        assert book.access.decide(bot, action, path) is decision


def test_what_one_may_not_read_is_refused_in_the_words_for_what_does_not_exist(book: Book) -> None:
    bot = book.add("bot", a="reader")
    service = ConfigService(book.store)
    with pytest.raises(ServiceNotFound) as missing:
        service.find_entry(book.store.snapshot(), "nginx")
    with pytest.raises(ServiceNotFound) as hidden:
        book.access.require(bot, Action.READ, "nginx", owner=lambda: pytest.fail("looked up"))
    assert hidden.value.message == missing.value.message
    assert hidden.value.details == missing.value.details
    with pytest.raises(NotFound):
        book.access.require(bot, Action.READ, "**")


def test_what_one_may_only_read_is_refused_with_who_may_change_it(book: Book) -> None:
    bot = book.add("bot", all="reader")
    book.access.require(bot, Action.READ, "nginx")
    with pytest.raises(Forbidden) as refused:
        book.access.require(bot, Action.WRITE, "nginx", owner=lambda: "web team")
    assert refused.value.message == (
        "nginx: bot may not change it (expected: the role writer on nginx; its owner is 'web team')"
    )
    assert refused.value.details == (
        {"path": "nginx", "role": "writer", "principal": "bot", "owner": "web team"},
    )
    with pytest.raises(Forbidden, match="the whole repository: bot may not"):
        book.access.require(bot, Action.ADMINISTER, "**")


def test_a_token_of_two_principals_lets_nobody_in(book: Book) -> None:
    book.add("bot", all="reader")
    data = book.store.snapshot().read(principal_path("bot"))
    book.put(principal_path("copy"), data)
    with pytest.raises(Unauthorized):
        book.access.authenticate(bearer("bot"))
    book.put(principal_path("copy"), b"# " + token_hash(token_of("bot")).encode() + b"\n{}\n")
    assert book.access.authenticate(bearer("bot")).name == "bot"


def test_a_file_that_is_not_valid_lets_nobody_in(book: Book) -> None:
    book.add("admin", all="admin")
    book.put(principal_path("bot"), f"tokens: [{{sha256: {token_hash(token_of('bot'))}}}]\nx: 1\n".encode())
    with pytest.raises(Unauthorized):
        book.access.authenticate(bearer("bot"))
    book.put(principal_path("bot"), f"# {token_hash(token_of('bot'))}".encode() + b"x" * (1 << 15))
    with pytest.raises(Unauthorized):
        book.access.authenticate(bearer("bot"))


def test_a_unix_user_acts_as_the_principal_that_names_it(book: Book) -> None:
    assert book.access.find_unix_user("ops") is ANYONE
    bot = book.add("bot", user="ops", all="reader")
    assert book.access.find_unix_user("ops") == bot
    assert book.access.find_unix_user("op") is None
    assert book.access.find_unix_user("") is None
    book.add("second", user="ops", all="reader")
    assert book.access.find_unix_user("ops") is None


@pytest.mark.slow
def test_many_threads_see_each_change_at_once(book: Book) -> None:
    """Each thread has its change committed before it asks, while the others change principals too."""
    book.add("admin", all="admin")
    wrong: list[str] = []

    def come_and_go(name: str) -> None:
        for _ in range(50):
            book.add(name, all="reader")
            someone = book.access.authenticate(bearer(name))
            if not book.access.may(someone, Action.READ, "nginx"):
                wrong.append(f"{name} may not read")
            book.remove(name)
            if book.access.may(someone, Action.READ, "nginx"):
                wrong.append(f"{name} may still read")

    threads = [threading.Thread(target=come_and_go, args=(f"bot-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_remembered_is_bounded(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("configsvc.access.table.MAX_MEMORY", 10)
    bot = book.add("bot", all="reader")
    assert all(book.access.may(bot, Action.READ, f"service-{number}") for number in range(100))
    assert len(book.access._current().table.roles) <= 10
    assert not book.access.may(Principal("nobody"), Action.READ, "service-1")
