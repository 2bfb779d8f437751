"""Many changes, one commit: what each comes to, and all or nothing."""

from __future__ import annotations

import pytest

from configsvc.core.changes import ServiceVersion
from configsvc.core.errors import (
    ConfigError,
    DocumentInvalid,
    DocumentTooLarge,
    NameInvalid,
    PatchFailed,
    PathConflict,
    PreconditionFailed,
    RequestIdReused,
    RequestInvalid,
    RevisionMismatch,
    SchemaNotFound,
    ServiceEnabled,
    ServiceExists,
    ServiceNotFound,
    VersionDeleted,
    VersionNotFound,
)
from configsvc.core.tags import DocumentTag, FileTag, Precondition
from configsvc.service import Ask, ConfigService
from configsvc.service.changes import (
    Change,
    DeleteSchema,
    DeleteService,
    Existence,
    PatchDocument,
    PatchKind,
    PutDocument,
    PutSchema,
    Rollback,
    SetMeta,
)
from configsvc.service.effects import tag_of
from configsvc.store.base import ConfigStore
from tests.service.asking import by_hand, json_put, remove, schema_put, text_of, yaml_put

pytestmark = pytest.mark.slow

COMMENTED = "# ours\nlisten: 80 # public\nhosts: [a, b]\n"
STALE = Precondition(tags=frozenset({DocumentTag(7, "0" * 16)}))
ABSENT = Precondition(must_not_exist=True)


def test_atomic_a_hundred_services_are_one_commit_and_one_revision(service: ConfigService) -> None:
    receipt = service.commit([json_put(f"s{n:03}", {"n": n}) for n in range(100)])
    assert receipt.outcome.revision == 2
    assert receipt.outcome.versions == tuple(ServiceVersion(f"s{n:03}", 0) for n in range(100))
    assert (
        service.snapshot().commit(2).message.startswith("Create s000, Create s001, Create s002 and 97 more")
    )


def test_atomic_one_refused_change_of_many_is_named_and_nothing_is_written(service: ConfigService) -> None:
    changes: list[Change] = [json_put(f"s{n}", {}) for n in range(5)]
    changes[3] = DeleteService("gone")
    with pytest.raises(ServiceNotFound) as caught:
        service.commit(changes)
    assert caught.value.details[0]["index"] == 3
    assert caught.value.details[0]["service"] == "gone"
    assert service.snapshot().revision == 1
    assert list(service.snapshot().services()) == []


def test_a_merge_patch_of_yaml_changes_only_its_lines(service: ConfigService) -> None:
    service.commit([yaml_put("web", COMMENTED)])
    service.commit([PatchDocument("web", {"listen": 8080}, PatchKind.MERGE)])
    assert text_of(service, "web") == COMMENTED.replace("80 #", "8080 #")


def test_a_json_patch_of_json_keeps_order_and_spelling(service: ConfigService) -> None:
    service.commit([json_put("web", {"b": 1.50, "a": [1, 2]})])
    service.commit([PatchDocument("web", [{"op": "add", "path": "/a/-", "value": 3}], PatchKind.JSON)])
    assert text_of(service, "web") == '{\n  "b": 1.5,\n  "a": [\n    1,\n    2,\n    3\n  ]\n}\n'


def test_a_rollback_brings_back_the_very_text_and_format_as_a_new_version(service: ConfigService) -> None:
    service.commit([yaml_put("web", COMMENTED)])
    service.commit([json_put("web", {"listen": 81})])
    receipt = service.commit([Rollback("web", 0)])
    assert receipt.outcome.versions == (ServiceVersion("web", 2),)
    assert text_of(service, "web") == COMMENTED
    assert service.snapshot().read("web.json") is None
    assert not service.commit([Rollback("web", 2)]).outcome.changed


def test_a_rollback_brings_a_deleted_service_back(service: ConfigService) -> None:
    service.commit([yaml_put("web", COMMENTED)])
    remove(service, "web")
    assert service.commit([Rollback("web", 0)]).entry("web").version == 2
    assert text_of(service, "web") == COMMENTED


def test_meta_is_set_member_by_member_and_makes_no_version(service: ConfigService) -> None:
    service.commit([json_put("web", {})])
    service.commit([SetMeta("web", owner="team a")])
    receipt = service.commit([SetMeta("web", enabled=False, description="Front")])
    meta = service.meta(service.snapshot(), "web")
    assert (meta.enabled, meta.owner, meta.description) == (False, "team a", "Front")
    assert receipt.outcome.versions == ()
    assert receipt.entry("web").version == 0


def test_meta_takes_its_own_tag_and_that_of_the_document(service: ConfigService) -> None:
    receipt = service.commit([json_put("web", {})])
    entry = receipt.entry("web")
    document = DocumentTag(0, (entry.blob_id or "")[:16])
    defaults = FileTag("meta", "0" * 16)
    for tag in (defaults, document):
        service.commit([SetMeta("web", enabled=False, precondition=Precondition(frozenset({tag})))])
        service.commit([SetMeta("web", enabled=True)])
    service.commit([SetMeta("web", owner="x")])
    with pytest.raises(PreconditionFailed):
        service.commit([SetMeta("web", owner="y", precondition=Precondition(frozenset({defaults})))])


def test_a_service_is_disabled_and_deleted_in_one_commit(service: ConfigService) -> None:
    service.commit([json_put("web", {})])
    receipt = service.commit([SetMeta("web", enabled=False), DeleteService("web")])
    assert receipt.outcome.versions == (ServiceVersion("web", 1, deleted=True),)
    assert service.snapshot().names(".configsvc") == frozenset()


def test_an_expected_revision_is_compared_on_the_state_the_commit_lands_on(service: ConfigService) -> None:
    assert service.commit([json_put("a", {})], expected_revision=1).outcome.revision == 2
    with pytest.raises(RevisionMismatch, match="head is 2") as caught:
        service.commit([json_put("b", {})], expected_revision=1)
    assert caught.value.details == ({"revision": 2},)


def test_a_dry_run_tells_what_would_come_of_it_and_writes_nothing(service: ConfigService) -> None:
    service.commit([json_put("a", {"n": 0})])
    receipt = service.commit([json_put("a", {"n": 1}), json_put("b", {})], ask=Ask(dry_run=True))
    assert receipt.outcome.versions == (ServiceVersion("a", 1), ServiceVersion("b", 0))
    assert receipt.outcome.changed
    assert [(preview.path, preview.before is None) for preview in receipt.previews] == [
        ("a.json", False),
        ("b.json", True),
    ]
    assert service.snapshot().revision == 2
    assert not service.commit([json_put("a", {"n": 0})], ask=Ask(dry_run=True)).outcome.changed


def test_a_dry_run_refuses_what_the_write_would_be_refused_for(service: ConfigService) -> None:
    with pytest.raises(ServiceNotFound):
        service.commit([DeleteService("a")], ask=Ask(dry_run=True))


def test_a_repeated_commit_happens_once_and_another_under_its_id_is_refused(service: ConfigService) -> None:
    ask = Ask(request_id="deploy-1")
    changes = [json_put("a", {"n": 1}), json_put("b", {"n": 1})]
    first = service.commit(changes, ask=ask).outcome
    service.commit([json_put("a", {"n": 2})])
    assert service.commit(changes, ask=ask).outcome == first
    with pytest.raises(RequestIdReused):
        service.commit(changes[:1], ask=ask)


def test_a_commit_says_its_operations_in_a_trailer(service: ConfigService) -> None:
    service.commit([json_put("a", {}), SetMeta("a", owner="x"), json_put("b", {})])
    assert "\n\nConfig-Operation: put, meta\n" in service.snapshot().commit(2).message


def test_schemas_are_put_listed_read_and_deleted(service: ConfigService) -> None:
    service.commit([schema_put("payments/_default.json", {"type": "object"}), schema_put("web.json", {})])
    snapshot = service.snapshot()
    assert service.schema_paths(snapshot) == ["payments/_default.json", "web.json"]
    assert service.schema(snapshot, "payments/_default.json") == b'{\n  "type": "object"\n}\n'
    service.commit([DeleteSchema("web.json")])
    with pytest.raises(SchemaNotFound):
        service.schema(service.snapshot(), "web.json")


def bare(name: str, existence: Existence) -> PutDocument:
    put = json_put(name, {})
    return PutDocument(put.service, put.document, existence=existence)


REFUSED: dict[str, tuple[Change, type[ConfigError]]] = {
    "bad name": (DeleteService("../a"), NameInvalid),
    "bad schema path": (PutSchema("../a.json", b"{}"), RequestInvalid),
    "schema for nobody": (PutSchema("A.json", b"{}"), RequestInvalid),
    "schema that is no JSON": (PutSchema("a.json", b"{"), DocumentInvalid),
    "schema that is not there": (DeleteSchema("a.json"), SchemaNotFound),
    "put of one that exists": (bare("a", Existence.ABSENT), ServiceExists),
    "put of one that does not": (bare("no", Existence.PRESENT), ServiceNotFound),
    "stale put": (json_put("a", {}, STALE), PreconditionFailed),
    "put if absent": (json_put("a", {}, ABSENT), PreconditionFailed),
    "patch of none": (PatchDocument("no", {}, PatchKind.MERGE), ServiceNotFound),
    "stale patch": (PatchDocument("a", {}, PatchKind.MERGE, STALE), PreconditionFailed),
    "patch that does not apply": (
        PatchDocument("a", [{"op": "remove", "path": "/x"}], PatchKind.JSON),
        PatchFailed,
    ),
    "patch that is none": (PatchDocument("a", [], PatchKind.MERGE), DocumentInvalid),
    "delete of an enabled one": (DeleteService("a"), ServiceEnabled),
    "stale delete": (DeleteService("a", STALE), PreconditionFailed),
    "delete of a deleted one": (DeleteService("gone"), ServiceNotFound),
    "rollback of none": (Rollback("no", 0), ServiceNotFound),
    "rollback to no version": (Rollback("a", 9), VersionNotFound),
    "rollback to a tombstone": (Rollback("gone", 1), VersionDeleted),
    "stale rollback": (Rollback("a", 0, STALE), PreconditionFailed),
    "meta of none": (SetMeta("no", enabled=False), ServiceNotFound),
    "stale meta": (SetMeta("a", enabled=False, precondition=STALE), PreconditionFailed),
    "stale schema": (PutSchema("a.json", b"{}", STALE), PreconditionFailed),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_and_nothing_changes(service: ConfigService, case: str) -> None:
    change, error = REFUSED[case]
    service.commit([json_put("a", {"n": 0}), json_put("gone", {})])
    remove(service, "gone")
    with pytest.raises(error) as caught:
        service.commit([change])
    assert type(caught.value) is error
    assert service.snapshot().revision == 3


@pytest.mark.parametrize(
    "changes",
    [
        [json_put("a", {}), DeleteService("a")],
        [SetMeta("a", enabled=True), SetMeta("a", owner="x")],
        [schema_put("a.json", {}), DeleteSchema("a.json")],
    ],
)
def test_one_thing_is_changed_once_a_commit(service: ConfigService, changes: list[Change]) -> None:
    with pytest.raises(RequestInvalid, match="changed twice"):
        service.commit(changes)


def test_compare_and_set_a_stale_tag_is_told_the_current_one_and_what_has_changed_since(
    service: ConfigService,
) -> None:
    tag = tag_of(service.commit([yaml_put("web", COMMENTED)]).entry("web"))
    assert tag is not None
    service.commit([PatchDocument("web", {"listen": 8080}, PatchKind.MERGE)])
    with pytest.raises(PreconditionFailed) as caught:
        service.commit([json_put("a", {}), json_put("web", {}, Precondition(frozenset({tag})))])
    (told,) = caught.value.details
    entry = service.find_entry(service.snapshot(), "web")
    assert told["etag"] == f'"1-{(entry.blob_id or "")[:16]}-yaml"'
    assert (told["version"], told["index"], told["service"]) == (1, 1, "web")
    diff = str(told["diff"])
    assert "-listen: 80 # public\n+listen: 8080 # public\n" in diff


def test_a_tag_that_names_no_version_is_told_no_diff(service: ConfigService) -> None:
    service.commit([json_put("web", {})])
    with pytest.raises(PreconditionFailed) as caught:
        service.commit([json_put("web", {}, STALE)])
    assert set(caught.value.details[0]) == {"version", "etag"}


def test_if_absent_is_told_what_is_there(service: ConfigService) -> None:
    service.commit([json_put("web", {})])
    with pytest.raises(PreconditionFailed) as caught:
        service.commit([json_put("web", {}, ABSENT)])
    assert caught.value.details[0]["version"] == 0


@pytest.mark.parametrize("is_dry", [False, True])
def test_a_conflict_of_paths_names_its_change_whether_dry_or_not(
    service: ConfigService, store: ConfigStore, is_dry: bool
) -> None:
    by_hand(store, {"payments": b"notes\n"})
    with pytest.raises(PathConflict) as caught:
        service.commit([json_put("a", {}), json_put("payments/api", {})], ask=Ask(dry_run=is_dry))
    (told,) = caught.value.details
    assert (told["path"], told["index"], told["service"]) == ("payments", 1, "payments/api")
    assert service.snapshot().revision == 2


def test_a_stale_tag_of_a_file_is_told_the_current_one(service: ConfigService) -> None:
    service.commit([json_put("web", {}), schema_put("web.json", {})])
    stale = Precondition(frozenset({FileTag("schema", "f" * 16)}))
    with pytest.raises(PreconditionFailed) as caught:
        service.commit([PutSchema("web.json", b"{}", stale)])
    assert str(caught.value.details[0]["etag"]).endswith('-schema"')
    stale = Precondition(frozenset({FileTag("meta", "f" * 16)}))
    with pytest.raises(PreconditionFailed) as caught:
        service.commit([SetMeta("web", owner="x", precondition=stale)])
    assert caught.value.details[0]["etag"] == f'"{"0" * 16}-meta"'


def test_bounded_many_small_patches_of_large_documents_are_refused_at_a_limit(
    service: ConfigService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("configsvc.service.planning.MAX_STAGED_BYTES", 4000)
    names = [f"s{n}" for n in range(5)]
    for name in names:
        service.commit([json_put(name, {"text": "x" * 1000})])
    patches = [PatchDocument(name, {"n": 1}, PatchKind.MERGE) for name in names]
    with pytest.raises(DocumentTooLarge, match="more than 4000 bytes in all") as caught:
        service.commit(patches)
    assert caught.value.details[0]["index"] == 3
    service.commit(patches[:3])
