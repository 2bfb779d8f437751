"""Documents held to schemas, whatever brings them or the schemas into the repository."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from configsvc.core.errors import DocumentBroken, SchemaTooSlow, SchemaViolated
from configsvc.core.names import Format
from configsvc.documents.bounds import DEFAULT_BOUNDS
from configsvc.service import Ask, ConfigService
from configsvc.service.changes import DeleteSchema, PatchDocument, PatchKind, PutDocument, PutSchema, Rollback
from configsvc.service.editions import FingerprintCache, LocalEditor
from configsvc.service.planning import Grounds, Planner
from configsvc.store.base import ConfigStore, PlanAgain
from configsvc.store.memory import MemoryStore
from configsvc.validation.conformance import MAX_TOLD, MAX_TOLD_OF_ONE, SchemaGate
from tests.service.asking import by_hand, integer_schema, json_put, schema_put, text_of, yaml_put

pytestmark = pytest.mark.slow

PAYMENTS = "payments/_default.json"
SLOW = {"properties": {"name": {"pattern": "^[a-z]+$"}}}


def places(error: SchemaViolated) -> list[tuple[object, ...]]:
    return [
        tuple(detail.get(name) for name in ("path", "pointer", "line", "column")) for detail in error.details
    ]


def test_all_violations_are_told_where_they_stand_in_the_json_that_was_sent(service: ConfigService) -> None:
    service.commit([schema_put("web.json", integer_schema("a", "b", "c"))])
    with pytest.raises(SchemaViolated) as caught:
        service.commit([json_put("web", {"a": "x", "b": 1, "c": {}})])
    assert places(caught.value) == [("web.json", "/a", 1, 7), ("web.json", "/c", 1, 25)]
    assert service.snapshot().revision == 2


def test_all_violations_are_told_where_they_stand_in_the_yaml_that_was_sent(service: ConfigService) -> None:
    service.commit([schema_put("web.json", integer_schema("a", "b", "c"))])
    with pytest.raises(SchemaViolated, match=r"web\.yaml:2:4: /a: ") as caught:
        service.commit([yaml_put("web", "# ours\na: x\nb: 1\nc:\n  - 1\n")])
    assert places(caught.value) == [("web.yaml", "/a", 2, 4), ("web.yaml", "/c", 5, 3)]


def test_a_patch_tells_pointers_and_no_lines(service: ConfigService) -> None:
    service.commit([schema_put("web.json", integer_schema("a")), json_put("web", {"a": 1})])
    with pytest.raises(SchemaViolated) as caught:
        service.commit([PatchDocument("web", {"a": "x"}, PatchKind.MERGE)])
    assert places(caught.value) == [("web.json", "/a", None, None)]


def test_a_schema_and_its_documents_change_in_one_commit(service: ConfigService) -> None:
    service.commit([schema_put("web.json", integer_schema("a")), json_put("web", {"a": 1})])
    text = {"properties": {"a": {"type": "string"}}}
    service.commit([json_put("web", {"a": "x"}), schema_put("web.json", text)])
    assert service.snapshot().revision == 3


def test_a_change_of_schema_is_refused_with_those_it_would_break(service: ConfigService) -> None:
    service.commit([json_put(f"payments/{n}", {"a": "x" if n % 2 else 1}) for n in range(6)])
    service.commit([json_put("elsewhere", {"a": "x"}), yaml_put("payments/deep/er", "b: 1\na: x\n")])
    with pytest.raises(SchemaViolated) as caught:
        service.commit([schema_put(PAYMENTS, integer_schema("a"))])
    broken = [(detail["path"], detail["line"]) for detail in caught.value.details]
    odd = [(f"payments/{n}.json", 2) for n in (1, 3, 5)]
    assert broken == [*odd, ("payments/deep/er.yaml", 2)]
    assert service.schema_paths(service.snapshot()) == []


def test_one_document_does_not_crowd_out_the_others_that_a_schema_breaks(service: ConfigService) -> None:
    names = [f"k{n}" for n in range(MAX_TOLD_OF_ONE + 5)]
    service.commit([json_put(name, dict.fromkeys(names, "x")) for name in ("a", "b")])
    with pytest.raises(SchemaViolated) as caught:
        service.commit([schema_put("_default.json", integer_schema(*names))])
    assert [detail["path"] for detail in caught.value.details] == [
        *["a.json"] * (MAX_TOLD_OF_ONE + 1),
        *["b.json"] * (MAX_TOLD_OF_ONE + 1),
    ]


def test_where_many_documents_would_break_each_is_named_once(service: ConfigService) -> None:
    names = [f"k{n}" for n in range(15)]
    documents = [f"s{n:03}" for n in range(MAX_TOLD // 15 + 10)]
    service.commit([json_put(name, dict.fromkeys(names, "x")) for name in documents])
    with pytest.raises(SchemaViolated) as caught:
        service.commit([schema_put("_default.json", integer_schema(*names))])
    told = [detail.get("path") for detail in caught.value.details]
    assert told == [*(f"{name}.json" for name in documents), None]
    assert "one violation of each" in str(caught.value.details[-1]["message"])


def test_a_schema_that_judges_too_long_in_all_is_refused(
    service: ConfigService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("configsvc.validation.conformance.MAX_JUDGING_S", -1.0)
    service.commit([json_put("a", {})])
    with pytest.raises(SchemaTooSlow, match=r"schemas/_default\.json: judging all"):
        service.commit([schema_put("_default.json", {})])


def test_a_rollback_to_what_does_not_parse_is_refused(service: ConfigService, store: ConfigStore) -> None:
    by_hand(store, {"a.json": b'{"a": 1,}\n'})
    by_hand(store, {"a.json": b'{"a": 1}\n'})
    with pytest.raises(DocumentBroken, match="line 1, column 9"):
        service.commit([Rollback("a", 0)])
    assert service.snapshot().revision == 3


def test_a_broken_document_is_found_broken_and_can_be_replaced_but_not_patched(
    service: ConfigService, store: ConfigStore
) -> None:
    by_hand(store, {"a.yaml": b"a: [\n"})
    with pytest.raises(DocumentBroken):
        service.commit([PatchDocument("a", {"b": 1}, PatchKind.MERGE)])
    put = json_put("a", {"a": 1})
    service.commit([PutDocument("a", put.document, keep_format=True)])
    assert service.find_entry(service.snapshot(), "a").format is Format.JSON


def test_a_broken_schema_is_told_with_its_place_beside_a_broken_document(service: ConfigService) -> None:
    service.commit([schema_put("a.json", integer_schema("a"))])
    with pytest.raises(SchemaViolated) as caught:
        service.commit([PutSchema("b.json", b'{\n "type": "int"}'), json_put("a", {"a": "x"})])
    assert places(caught.value) == [
        (".configsvc/schemas/b.json", "/type", 2, 10),
        ("a.json", "/a", 1, 7),
    ]


def test_a_referred_file_judges_the_services_of_those_that_refer_to_it(service: ConfigService) -> None:
    shared = "common/types.json"
    service.commit(
        [
            schema_put(shared, {"$defs": {"port": {"type": ["integer", "string"]}}}),
            schema_put("web.json", {"properties": {"a": {"$ref": f"{shared}#/$defs/port"}}}),
            json_put("web", {"a": "x"}),
        ]
    )
    with pytest.raises(SchemaViolated) as caught:
        service.commit([schema_put(shared, {"$defs": {"port": {"type": "integer"}}})])
    assert places(caught.value) == [("web.json", "/a", 2, 8)]
    with pytest.raises(SchemaViolated, match=r"schemas/web\.json:4:15: /properties/a/\$ref: .*is not there"):
        service.commit([DeleteSchema(shared)])


def test_a_schema_that_cannot_be_used_is_refused(service: ConfigService) -> None:
    with pytest.raises(SchemaViolated, match=r"\.configsvc/schemas/web\.json:1:10: /type: "):
        service.commit([schema_put("web.json", {"type": "int"})])


def test_the_operators_schemas_hold_whatever_is_in_the_repository(
    service: ConfigService, operator: Path
) -> None:
    (operator / "web.json").write_text(json.dumps(integer_schema("a")))
    with pytest.raises(SchemaViolated, match=r"\(schema schemas/web\.json\)"):
        service.commit([schema_put("web.json", {}), json_put("web", {"a": "x"})])
    service.commit([json_put("web", {"a": 1})])


def test_a_violation_in_a_commit_of_several_names_its_change(service: ConfigService) -> None:
    service.commit([schema_put("b.json", integer_schema("a"))])
    with pytest.raises(SchemaViolated) as caught:
        service.commit([json_put("a", {}), json_put("b", {"a": "x"})])
    assert [detail["index"] for detail in caught.value.details] == [1]


def test_a_rollback_is_judged_by_the_schemas_of_today(service: ConfigService) -> None:
    service.commit([json_put("web", {"a": "x"})])
    service.commit([json_put("web", {"a": 1})])
    service.commit([schema_put("web.json", integer_schema("a"))])
    with pytest.raises(SchemaViolated, match=r"web\.json:2:8: /a"):
        service.commit([Rollback("web", 0)])


def test_a_dry_run_tells_violations(service: ConfigService) -> None:
    service.commit([schema_put("web.json", integer_schema("a"))])
    with pytest.raises(SchemaViolated):
        service.commit([json_put("web", {"a": "x"})], ask=Ask(dry_run=True))


def test_judging_a_text_tells_violations_and_faults_of_form_alike(service: ConfigService) -> None:
    service.commit([schema_put("web.json", integer_schema("a"))])
    snapshot = service.snapshot()
    assert service.judge(snapshot, "web", b'{"a": 1}', Format.JSON) == []
    (found,) = service.judge(snapshot, "web", b"b: 1\na: x\n", Format.YAML)
    assert (found.pointer, found.line, found.column) == ("/a", 2, 4)
    (found,) = service.judge(snapshot, "web", b'{\n"a": }', Format.JSON)
    assert (found.line, found.column) == (2, 6)


def test_what_is_slow_is_not_judged_in_the_writers_turn_but_remembered_from_before(gate: SchemaGate) -> None:
    service = ConfigService(MemoryStore(), gate=gate)
    service.commit([schema_put("web.json", SLOW)])
    view = service.snapshot()
    grounds = Grounds(DEFAULT_BOUNDS, FingerprintCache(), service.snapshot, LocalEditor())
    planner = Planner(grounds, [json_put("web", {"name": "x"})], Ask(), gate.rules())
    with pytest.raises(PlanAgain):
        planner.plan(view, False)
    planned = planner.plan(view, True)
    assert planner.plan(view, False) == planned


@pytest.mark.slow
def test_numbered_no_write_is_lost_where_every_one_is_put_off(service: ConfigService) -> None:
    names = {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[a-z]+$"}}
    service.commit([schema_put("web.json", names), json_put("web", {"first": "x"})])

    def add(number: int) -> None:
        key = "k" + "abcdefghijklmnop"[number]
        service.commit([PatchDocument("web", {key: "x"}, PatchKind.MERGE)])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add, range(16)))
    assert service.snapshot().find("web").version == 16  # type: ignore[union-attr]
    assert len(json.loads(text_of(service, "web"))) == 17
