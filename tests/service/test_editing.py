"""Edits of large texts: by a worker, put off by the writer, bounded."""

from __future__ import annotations

from contextlib import closing

import pytest

from configsvc.core.errors import DocumentInvalid, EditTooLarge
from configsvc.core.names import Format
from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.documents.document import Value
from configsvc.documents.edit import MAX_EDIT_BYTES, MAX_EDIT_NODES
from configsvc.service import ConfigService
from configsvc.service.changes import PatchDocument, PatchKind
from configsvc.service.editions import QUICK_EDIT_BYTES, Editions, LocalEditor
from configsvc.store.base import PlanAgain
from configsvc.store.memory import MemoryStore
from configsvc.validation.workers import WorkerPool
from tests.service.asking import text_of, yaml_put

LINE = "key{0}: {0} # of the {0}th\n"
LARGE = "".join(LINE.format(n) for n in range(QUICK_EDIT_BYTES // 16))


class Watched:
    """An editor that tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def edit(self, old: bytes, format_: Format, value: Value, bounds: Bounds) -> bytes:
        self.asked.append(len(old))
        return old + b"more: 1\n"


def test_a_large_text_is_edited_by_the_editor_that_was_given_and_a_small_one_is_not() -> None:
    watched = Watched()
    service = ConfigService(MemoryStore(), editor=watched)
    service.commit([yaml_put("large", LARGE), yaml_put("small", "a: 1\n")])
    service.commit([PatchDocument("large", {"more": 1}, PatchKind.MERGE)])
    service.commit([PatchDocument("small", {"more": 1}, PatchKind.MERGE)])
    assert watched.asked == [len(LARGE)]
    assert text_of(service, "small") == "a: 1\nmore: 1\n"


def test_a_large_text_is_not_edited_in_the_writers_turn_but_remembered() -> None:
    editions = Editions(lambda old: {**old, "key1": 0}, DEFAULT_BOUNDS, Watched())
    with pytest.raises(PlanAgain):
        editions.of(LARGE.encode(), Format.YAML, "id", may_wait=False)
    made = editions.of(LARGE.encode(), Format.YAML, "id", may_wait=True)
    assert editions.of(LARGE.encode(), Format.YAML, "id", may_wait=False) is made


@pytest.mark.slow
def test_a_worker_edits_as_the_asking_thread_would(workers: WorkerPool) -> None:
    service = ConfigService(MemoryStore(), editor=workers)
    service.commit([yaml_put("large", LARGE)])
    service.commit([PatchDocument("large", {"key7": "x"}, PatchKind.MERGE)])
    assert text_of(service, "large") == LARGE.replace("key7: 7 #", "key7: x #")


@pytest.mark.slow
def test_a_worker_passes_refusals_on_and_is_bounded(workers: WorkerPool) -> None:
    too_large = b"a: 1\n" + b"#\n" * MAX_EDIT_BYTES
    with pytest.raises(EditTooLarge, match="YAML document"):
        workers.edit(too_large, Format.YAML, {"a": 2}, DEFAULT_BOUNDS)
    with pytest.raises(DocumentInvalid) as caught:
        workers.edit(b"a: [\n", Format.YAML, {"a": 2}, DEFAULT_BOUNDS)
    assert type(caught.value) is DocumentInvalid
    assert caught.value.details[0]["line"] == 2
    with closing(WorkerPool(time_limit_s=0.01)) as hurried, pytest.raises(EditTooLarge, match="more than"):
        hurried.edit(LARGE.encode(), Format.YAML, {"a": 2}, DEFAULT_BOUNDS)


@pytest.mark.parametrize(
    "text", [b"a: [" + b"0," * MAX_EDIT_NODES + b"0]\n", b"a: 1\n" + b"#" * MAX_EDIT_BYTES]
)
def test_what_is_too_large_to_be_edited_is_refused_before_it_is_read(text: bytes) -> None:
    read: list[object] = []

    def change(old: dict[str, object]) -> dict[str, object]:
        read.append(old)
        return old

    editions = Editions(change, DEFAULT_BOUNDS, LocalEditor())
    with pytest.raises(EditTooLarge):
        editions.of(text, Format.YAML, "0" * 40, may_wait=True)
    assert not read
