"""What the service makes of a repository that was not always behind the gate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.core.changes import Author
from configsvc.core.errors import PreconditionFailed, ServiceNotFound
from configsvc.core.names import Format
from configsvc.core.tags import DocumentTag, Precondition
from configsvc.documents.document import Document, read_document
from configsvc.service import Ask, ConfigService, Existence
from configsvc.service.changes import DeleteService, PutDocument, SetMeta
from configsvc.store.gitstore import GitStore
from tests.store.gitrepo import commit_files, git, new_repository

BROKEN = {"bad.json": '{"a": 1, "a": 2}', ".configsvc/services/bad.yaml": "enabled: perhaps\n"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ConfigService]:
    commit_files(new_repository(tmp_path / "repo"), BROKEN)
    with GitStore.open(tmp_path / "repo") as store:
        yield ConfigService(store)


def document(text: str = '{"a": 3}') -> Document:
    return read_document(text.encode(), Format.JSON)


def test_a_document_that_was_broken_by_hand_can_be_replaced(service: ConfigService) -> None:
    receipt = service.commit([PutDocument("bad", document(), existence=Existence.PRESENT)])
    entry = receipt.entry("bad")
    assert entry.version == 1
    assert service.value(receipt.snapshot, entry) == {"a": 3}


def test_a_meta_file_that_was_broken_by_hand_counts_as_none_and_can_be_replaced(
    service: ConfigService,
) -> None:
    assert service.meta(service.snapshot(), "bad").enabled
    service.commit([SetMeta("bad", enabled=False)])
    assert service.snapshot().read(".configsvc/services/bad.yaml") == b"enabled: false\n"
    service.commit([DeleteService("bad")])
    with pytest.raises(ServiceNotFound):
        service.find_entry(service.snapshot(), "bad")


def test_a_stale_tag_refuses_and_says_where_the_service_is(service: ConfigService) -> None:
    tag = DocumentTag(0, "0" * 16)
    with pytest.raises(PreconditionFailed, match="is at version 0") as caught:
        service.commit([PutDocument("bad", document(), Precondition(tags=frozenset({tag})))])
    assert caught.value.details[0]["version"] == 0


def test_author_and_message_of_an_ask_become_those_of_the_commit(
    service: ConfigService, tmp_path: Path
) -> None:
    forged = "Why\n\nSigned-off-by: someone else\nConfig-Request-Id: forged"
    ask = Ask(author=Author("Ann\n<x>", "ann@example.com"), message=forged, request_id="true")
    service.commit([PutDocument("new", document())], ask=ask)
    assert git(tmp_path / "repo", "log", "-1", "--format=%an|%s") == "Annx|Why"
    trailers = git(tmp_path / "repo", "log", "-1", "--format=%(trailers:only)").split("\n")
    assert [line.partition(": ")[0] for line in trailers if line] == [
        "Config-Operation",
        "Config-Request-Id",
        "Config-Request-Digest",
    ]
    assert trailers[1] == "Config-Request-Id: true"
