"""A write with a request id happens once, across restarts too."""

from __future__ import annotations

from pathlib import Path

import pytest

from configsvc.core.changes import ANONYMOUS, COMMITTER, Plan
from configsvc.core.errors import RequestIdReused
from configsvc.store.base import Write
from configsvc.store.gitstore import GitStore
from tests.store.gitrepo import IDENTITY, commit_files, git, put, wait_until

pytestmark = pytest.mark.slow


def test_a_request_id_is_known_after_a_restart(root: Path) -> None:
    from configsvc.core.names import Format
    from configsvc.documents.document import read_document
    from configsvc.service import Ask, ConfigService
    from configsvc.service.changes import PutDocument

    change = PutDocument("nginx", read_document(b'{"a": 1}', Format.JSON))
    other = PutDocument("nginx", read_document(b'{"a": 2}', Format.JSON))
    ask = Ask(request_id="deploy-7")
    with GitStore.open(root) as store:
        first = ConfigService(store).commit([change], ask=ask).outcome
    with GitStore.open(root) as store:
        service = ConfigService(store)
        service.commit([other])
        assert service.commit([change], ask=ask).outcome == first
        assert store.snapshot().revision == 3
    assert "Config-Request-Id: deploy-7" in git(root, "log", "--format=%B")


def test_a_request_id_reused_for_another_write_after_a_restart_is_refused(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"}, request_id="1", digest="of a")
    with GitStore.open(root) as store, pytest.raises(RequestIdReused):
        put(store, {"b.json": b"1"}, request_id="1", digest="of b")


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_request_id_in_an_adopted_commit_is_known_when_a_server_made_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, is_ours: bool
) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"})
        committer = COMMITTER.email if is_ours else "eve@example.com"
        monkeypatch.setitem(IDENTITY, "GIT_COMMITTER_EMAIL", committer)
        monkeypatch.setitem(IDENTITY, "GIT_AUTHOR_NAME", ANONYMOUS.name)
        moved = commit_files(root, {"b.json": "1"}, "By another tool\n\nConfig-Request-Id: theirs")
        wait_until(lambda: store.snapshot().commit_id == moved)
        outcome = put(store, {"b.json": b"2"}, request_id="theirs", digest="")
    assert (outcome.commit_id == moved) == is_ours


def test_a_message_with_a_scissors_line_does_not_hide_its_request_id(root: Path) -> None:
    scissors = "Subject\n\n# ------------------------ >8 ------------------------\nrest\n"
    write = Write(lambda view: Plan({"a.json": b"1"}, scissors), ANONYMOUS, request_id="r", digest="d")
    with GitStore.open(root) as store:
        first = store.submit(write).result(10)
    with GitStore.open(root) as store:
        assert store.submit(write).result(10) == first


def test_a_request_id_reused_in_the_same_life_is_refused(root: Path) -> None:
    with GitStore.open(root) as store:
        put(store, {"a.json": b"1"}, request_id="x", digest="1")
        with pytest.raises(RequestIdReused):
            put(store, {"a.json": b"2"}, request_id="x", digest="2")
