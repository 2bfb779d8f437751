"""What every store promises, run over each of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from configsvc.core.changes import ANONYMOUS, Author, Outcome, Plan
from configsvc.core.errors import PathConflict, RequestIdReused, ServiceClosed, ServiceExists, Unavailable
from configsvc.core.names import Format
from configsvc.store.base import ConfigStore, View, Write
from configsvc.store.gitstore import GitStore
from configsvc.store.memory import MemoryStore

WAIT_S = 20.0


@pytest.fixture(params=["memory", pytest.param("git", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ConfigStore]:
    made: ConfigStore = MemoryStore() if request.param == "memory" else GitStore.open(tmp_path / "repo")
    yield made
    made.close()


def put(store: ConfigStore, edits: dict[str, bytes | None], **more: str) -> Outcome:
    return store.submit(Write(lambda view: Plan(edits, "Change\n"), ANONYMOUS, **more)).result(WAIT_S)


def test_a_new_store_is_at_revision_1_with_no_services(store: ConfigStore) -> None:
    snapshot = store.snapshot()
    assert snapshot.revision == 1
    assert list(snapshot.services()) == []
    assert snapshot.service_count() == 0
    assert snapshot.find("nginx") is None


def test_versions_count_from_0_and_revisions_go_on(store: ConfigStore) -> None:
    outcomes = [put(store, {"nginx.json": b"{}\n" * (n + 1)}) for n in range(3)]
    assert [outcome.revision for outcome in outcomes] == [2, 3, 4]
    assert [outcome.versions[0].version for outcome in outcomes] == [0, 1, 2]
    assert [entry.version for entry in store.snapshot().entries("nginx")] == [0, 1, 2]


def test_a_version_keeps_its_content_for_ever(store: ConfigStore) -> None:
    put(store, {"nginx.json": b"first"})
    put(store, {"nginx.json": b"second"})
    snapshot = store.snapshot()
    blobs = [snapshot.blob(entry.blob_id or "") for entry in snapshot.entries("nginx")]
    assert blobs == [b"first", b"second"]


def test_a_snapshot_does_not_see_what_came_after_it(store: ConfigStore) -> None:
    put(store, {"nginx.json": b"first"})
    before = store.snapshot()
    put(store, {"nginx.json": b"second", "other.yaml": b"a: 1\n"})
    assert before.read("nginx.json") == b"first"
    assert before.find("other") is None
    assert list(before.services()) == ["nginx"]
    assert before.service_count() == 1
    assert len(before.entries("nginx")) == 1


def test_the_same_bytes_again_change_nothing(store: ConfigStore) -> None:
    first = put(store, {"nginx.json": b"{}\n"})
    again = put(store, {"nginx.json": b"{}\n"})
    assert not again.changed
    assert again.revision == first.revision == store.snapshot().revision
    assert again.versions == ()


def test_a_plan_without_edits_changes_nothing(store: ConfigStore) -> None:
    assert not put(store, {}).changed
    assert store.snapshot().revision == 1


def test_a_change_of_format_is_one_version(store: ConfigStore) -> None:
    put(store, {"nginx.json": b"{}\n"})
    outcome = put(store, {"nginx.json": None, "nginx.yaml": b"a: 1\n"})
    assert [made.version for made in outcome.versions] == [1]
    entry = store.snapshot().find("nginx")
    assert entry is not None
    assert entry.format is Format.YAML


def test_a_delete_takes_a_number_and_numbers_go_on_after_re_creation(store: ConfigStore) -> None:
    put(store, {"nginx.json": b"a"})
    put(store, {"other.json": b"a"})
    deleted = put(store, {"nginx.json": None})
    assert deleted.versions[0].deleted
    assert list(store.snapshot().services()) == ["other"]
    put(store, {"nginx.json": b"a"})
    put(store, {"nginx.json": b"b"})
    entries = store.snapshot().entries("nginx")
    assert [(entry.version, entry.deleted, entry.born) for entry in entries] == [
        (0, False, 0),
        (1, True, 0),
        (2, False, 2),
        (3, False, 2),
    ]
    assert {entry.ordinal for entry in entries} == {1}
    assert store.snapshot().service_count() == 2
    assert store.snapshot().service_count(deleted.revision) == 1


def test_one_write_of_many_services_is_one_revision(store: ConfigStore) -> None:
    outcome = put(store, {"b.json": b"1", "a/x.json": b"2", "a/y.yaml": b"z: 3"})
    assert outcome.revision == 2
    assert [made.service for made in outcome.versions] == ["a/x", "a/y", "b"]
    assert list(store.snapshot().services("a/")) == ["a/x", "a/y"]


def test_a_file_of_no_service_makes_no_version(store: ConfigStore) -> None:
    outcome = put(store, {".configsvc/services/nginx.yaml": b"enabled: false\n"})
    assert outcome.changed
    assert outcome.versions == ()
    assert store.snapshot().read(".configsvc/services/nginx.yaml") == b"enabled: false\n"
    assert store.snapshot().names(".configsvc") == {"services"}


def test_a_folder_goes_with_its_last_file(store: ConfigStore) -> None:
    put(store, {"a/b/x.json": b"1"})
    put(store, {"a/b/x.json": None})
    assert "a" not in store.snapshot().names("")


def test_a_refusal_reaches_the_caller_and_writes_nothing(store: ConfigStore) -> None:
    def refuse(view: View) -> Plan:
        raise ServiceExists("no")

    with pytest.raises(ServiceExists):
        store.submit(Write(refuse, ANONYMOUS)).result(WAIT_S)
    assert store.snapshot().revision == 1


@pytest.mark.parametrize("path", ["a", "a/x.json/y.json"])
def test_a_file_and_a_folder_cannot_share_a_name(store: ConfigStore, path: str) -> None:
    put(store, {"a/x.json": b"1"})
    with pytest.raises(PathConflict, match=r"is a (file|folder)"):
        put(store, {path: b"2"})
    assert store.snapshot().revision == 2


def test_a_repeated_request_id_happens_once(store: ConfigStore) -> None:
    first = put(store, {"nginx.json": b"a"}, request_id="r1", digest="d")
    put(store, {"nginx.json": b"b"})
    again = put(store, {"nginx.json": b"a"}, request_id="r1", digest="d")
    assert again == first
    assert store.snapshot().read("nginx.json") == b"b"


def test_a_repeat_gets_the_first_answer_though_it_would_be_refused_now(store: ConfigStore) -> None:
    def create(view: View) -> Plan:
        if view.find("nginx") is not None:
            raise ServiceExists("no")
        return Plan({"nginx.json": b"a"}, "Create\n")

    write = Write(create, ANONYMOUS, request_id="r1", digest="d")
    assert store.submit(write).result(WAIT_S) == store.submit(write).result(WAIT_S)


def test_a_request_id_used_for_something_else_is_refused(store: ConfigStore) -> None:
    put(store, {"nginx.json": b"a"}, request_id="r1", digest="d")
    with pytest.raises(RequestIdReused, match="r1"):
        put(store, {"nginx.json": b"b"}, request_id="r1", digest="other")


def test_a_request_id_is_its_askers_own(store: ConfigStore) -> None:
    def ask(name: str, content: bytes) -> Outcome:
        plan = Plan({f"{name}.json": content}, "Change\n")
        return store.submit(Write(lambda view: plan, Author(name, f"{name}@x"), "r1", "d")).result(WAIT_S)

    first, other = ask("ann", b"a"), ask("bob", b"b")
    assert (first.revision, other.revision) == (2, 3)
    assert (ask("ann", b"a"), ask("bob", b"b")) == (first, other)


def test_concurrent_increments_lose_nothing(store: ConfigStore) -> None:
    put(store, {"count.json": b"0"})

    def increment(view: View) -> Plan:
        return Plan({"count.json": b"%d" % (int(view.read("count.json") or b"0") + 1)}, "Add one\n")

    def run(_: int) -> None:
        for _ in range(10):
            store.submit(Write(increment, ANONYMOUS)).result(WAIT_S)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert store.snapshot().read("count.json") == b"80"
    assert [entry.version for entry in store.snapshot().entries("count")] == list(range(81))


def test_the_same_request_id_from_many_threads_happens_once(store: ConfigStore) -> None:
    barrier = threading.Barrier(8)

    def run(_: int) -> Outcome:
        barrier.wait()
        return put(store, {"nginx.json": b"a"}, request_id="one", digest="d")

    with ThreadPoolExecutor(8) as pool:
        outcomes = set(pool.map(run, range(8)))
    assert len(outcomes) == 1
    assert store.snapshot().revision == 2


def test_a_closed_store_refuses_writes_and_still_reads(store: ConfigStore) -> None:
    put(store, {"nginx.json": b"a"})
    snapshot = store.snapshot()
    store.close()
    assert snapshot.find("nginx") is not None
    with pytest.raises(ServiceClosed):
        put(store, {"nginx.json": b"b"})


def test_a_commit_tells_its_author_and_whole_message(store: ConfigStore) -> None:
    plan = Plan({"nginx.json": b"{}\n"}, "Subject\n\nBody\n", {"Config-Operation": "put"})
    outcome = store.submit(Write(lambda view: plan, ANONYMOUS, "id-1", "d")).result(WAIT_S)
    info = store.snapshot().commit(outcome.revision)
    assert (info.revision, info.commit_id, info.author) == (2, outcome.commit_id, str(ANONYMOUS))
    assert info.message == (
        "Subject\n\nBody\n\nConfig-Operation: put\nConfig-Request-Id: id-1\nConfig-Request-Digest: d\n"
    )
    assert info.committed_at > 0


def test_a_revision_tells_the_versions_it_made_sorted_by_service(store: ConfigStore) -> None:
    put(store, {"b.json": b"{}\n", "a.yaml": b"a: 1\n", "README.md": b"x"})
    put(store, {"b.json": None})
    put(store, {"README.md": b"y"})
    snapshot = store.snapshot()
    made = [[(e.service, e.version, e.deleted) for e in snapshot.made_by(n)] for n in range(1, 5)]
    assert made == [[], [("a", 0, False), ("b", 0, False)], [("b", 1, True)], []]


def test_a_commit_id_leads_to_its_revision_and_an_unknown_name_to_none(store: ConfigStore) -> None:
    outcomes = [put(store, {"nginx.json": b"{}\n" * (n + 1)}) for n in range(3)]
    snapshot = store.snapshot()
    assert [snapshot.revision_of(outcome.commit_id) for outcome in outcomes] == [2, 3, 4]
    for name in ("0" * 40, "main", "", "--all", "v1", "a..b", outcomes[0].commit_id[:12]):
        assert snapshot.revision_of(name) is None


def test_a_snapshot_tells_the_version_of_an_earlier_revision(store: ConfigStore) -> None:
    for n in range(3):
        put(store, {"nginx.json": b"{}\n" * (n + 1)})
    found = [store.snapshot().find_at("nginx", revision) for revision in range(1, 5)]
    assert [entry and entry.version for entry in found] == [None, 0, 1, 2]


def test_a_file_is_read_as_it_was_at_an_earlier_revision(store: ConfigStore) -> None:
    put(store, {".configsvc/services/a.yaml": b"owner: x\n", "a.json": b"{}\n"})
    put(store, {".configsvc/services/a.yaml": b"owner: y\n"})
    put(store, {".configsvc/services/a.yaml": None})
    snapshot = store.snapshot()
    read = [snapshot.read_at(".configsvc/services/a.yaml", revision) for revision in range(1, 6)]
    assert read == [None, b"owner: x\n", b"owner: y\n", None, None]


def test_services_are_listed_from_a_name_on(store: ConfigStore) -> None:
    put(store, {f"{name}.json": b"{}\n" for name in ("a", "b/c", "b/d", "e")})
    put(store, {"b/c.json": None})
    snapshot = store.snapshot()
    assert list(snapshot.services(after="a")) == ["b/d", "e"]
    assert list(snapshot.services("b/", after="b/c")) == ["b/d"]
    assert list(snapshot.services(after="e")) == []


def test_the_identity_of_a_path_changes_exactly_with_what_is_there(store: ConfigStore) -> None:
    put(store, {"f/a.json": b"{}\n", "g/a.json": b"{}\n"})
    snapshot = store.snapshot()
    assert snapshot.identity("f") == snapshot.identity("f")
    assert snapshot.identity("f/a.json") == snapshot.identity("g/a.json")
    assert snapshot.identity("nothing") is None
    put(store, {"f/b.json": b"{}\n"})
    assert store.snapshot().identity("f") != snapshot.identity("f")
    assert store.snapshot().identity("g/a.json") == snapshot.identity("g/a.json")


def test_a_plan_that_listed_services_is_made_again_when_one_comes_to_be(store: ConfigStore) -> None:
    seen: list[list[str]] = []

    def plan(view: View) -> Plan:
        seen.append(list(view.services("f/")))
        if len(seen) == 1:
            racing.submit(put, store, {"f/new.json": b"{}\n"}).result(WAIT_S)
        return Plan({"list.json": repr(seen[-1]).encode()}, "List\n")

    if isinstance(store, MemoryStore):
        pytest.skip("plans and writes of this store never overlap")
    with ThreadPoolExecutor(1) as racing:
        store.submit(Write(plan, ANONYMOUS)).result(WAIT_S)
    assert seen == [[], ["f/new"]]


def test_a_folder_lists_its_files_and_its_identity_changes_with_anything_below_it(store: ConfigStore) -> None:
    assert store.snapshot().identity("a/b") is None
    assert store.snapshot().folder_files("a/b") == {}
    put(store, {"a/b/x.json": b"x", "a/b/c/y.json": b"y", "a/z.json": b"z"})
    before = store.snapshot()
    files = before.folder_files("a/b")
    assert list(files) == ["x.json"]
    assert dict(before.blobs(files.values())) == {files["x.json"]: before.blob(files["x.json"])}
    put(store, {"a/z.json": b"other"})
    assert store.snapshot().identity("a/b") == before.identity("a/b")
    put(store, {"a/b/c/y.json": b"other"})
    assert store.snapshot().identity("a/b") not in (before.identity("a/b"), None)


def test_many_blobs_are_read_at_once(tmp_path: Path) -> None:
    files = {f"f{number}.json": f"[{number}]\n".encode() * number for number in range(300)}
    with GitStore.open(tmp_path / "repo") as store:
        put(store, {**files})
    with GitStore.open(tmp_path / "repo") as store:
        snapshot = store.snapshot()
        ids = {name: blob_id for name, blob_id in snapshot.folder_files("").items() if name in files}
        assert snapshot.blob_in_memory(ids["f7.json"]) is None
        few = dict(snapshot.blobs(ids.values(), max_bytes=40))
        assert {name for name, blob_id in ids.items() if blob_id in few} == {
            name for name, text in files.items() if len(text) <= 40
        }
        for _ in range(2):  # the second time from memory
            found = dict(snapshot.blobs(ids.values()))
            assert {name: found[blob_id] for name, blob_id in ids.items()} == files
        assert snapshot.blob_in_memory(ids["f7.json"]) == files["f7.json"]
        with pytest.raises(Unavailable):
            list(snapshot.blobs(["0" * 40]))
