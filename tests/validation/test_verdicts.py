from __future__ import annotations

from collections.abc import Sequence

import pytest

from configsvc.core.errors import SchemaTooSlow
from configsvc.core.reports import Violation
from configsvc.validation.compiled import check_schema
from configsvc.validation.judge import judge_value
from configsvc.validation.schemas import Schema
from configsvc.validation.verdicts import QUICK_NODES, QUICK_TEXT_CHARS, SchemaJudge
from tests.validation.schema_files import nested, schema

INTEGER = {"properties": {"a": {"type": "integer"}}}


class LocalWorkers:
    """Does in this process what workers do, and counts it."""

    def __init__(self) -> None:
        self.judged: list[object] = []
        self.checked: list[str] = []

    def judge(self, value: object, schemas: Sequence[Schema]) -> list[Violation]:
        self.judged.append(value)
        return judge_value(value, schemas)

    def check(self, schema: Schema) -> list[Violation]:
        self.checked.append(schema.schema_id)
        return check_schema(schema)


class TooSlowWorkers(LocalWorkers):
    def judge(self, value: object, schemas: Sequence[Schema]) -> list[Violation]:
        self.judged.append(value)
        raise SchemaTooSlow("too slow")


def test_a_document_without_schemas_conforms_and_costs_nothing() -> None:
    workers = LocalWorkers()
    assert SchemaJudge(workers).judge({"a": 1}, []) == []
    assert (workers.judged, workers.checked) == ([], [])


def test_a_small_document_under_a_plain_schema_is_judged_where_it_is_asked() -> None:
    workers = LocalWorkers()
    found = SchemaJudge(workers).judge({"a": "x"}, [schema(INTEGER)])
    assert [each.pointer for each in found] == ["/a"]
    assert workers.judged == []


@pytest.mark.parametrize(
    "slow",
    [
        {"properties": {"a": {"pattern": "x"}}},
        {"patternProperties": {"x": True}},
        {"items": {"not": {"format": "regex"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"propertyNames": {"pattern": "x"}}}},
        {"description": "x" * (64 << 10)},
    ],
    ids=["pattern", "patternProperties", "format regex", "by reference", "large"],
)
def test_a_schema_that_may_be_slow_is_judged_by_workers(slow: object) -> None:
    workers = LocalWorkers()
    SchemaJudge(workers).judge({}, [schema(slow)])
    assert workers.judged == [{}]


@pytest.mark.parametrize(
    "large",
    [
        {"a": [0] * QUICK_NODES},
        {"a": [[0]] * (QUICK_NODES // 2)},
        {"a": "x" * (QUICK_TEXT_CHARS + 1)},
        {"x" * (QUICK_TEXT_CHARS + 1): 0},
    ],
    ids=["nodes", "nested nodes", "text", "keys"],
)
def test_a_large_document_is_judged_by_workers(large: object) -> None:
    workers = LocalWorkers()
    SchemaJudge(workers).judge(large, [schema({})])
    assert workers.judged == [large]


def test_a_judgement_that_takes_long_is_handed_to_workers() -> None:
    workers = TooSlowWorkers()
    node = {"properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}] * 2}}, "required": ["x"]}
    judged_by = schema({"$ref": "#/$defs/node", "$defs": {"node": node}})
    with pytest.raises(SchemaTooSlow):
        SchemaJudge(workers).judge(nested(60), [judged_by])
    assert len(workers.judged) == 1


def test_a_document_that_conformed_is_not_judged_again_under_the_same_schemas() -> None:
    workers = LocalWorkers()
    judge = SchemaJudge(workers)
    slow, other = (
        schema({"properties": {"a": {"pattern": "x"}}}),
        schema({"properties": {"a": {"pattern": "y"}}}),
    )
    for _ in range(3):
        assert judge.judge({"a": "x"}, [slow], document_id="1") == []
    assert len(workers.judged) == 1
    assert judge.judge({"a": "x"}, [other], document_id="1") != []
    assert judge.judge({"a": "z"}, [slow], document_id="2") != []
    assert len(workers.judged) == 3


def test_a_schema_is_checked_once_and_one_that_is_broken_each_time() -> None:
    workers = LocalWorkers()
    judge = SchemaJudge(workers)
    good, bad = schema(INTEGER), schema({"type": "int"})
    for _ in range(3):
        assert judge.judge({}, [good]) == []
        assert judge.check(good) == []
    assert len(workers.checked) == 1
    for _ in range(2):
        (found,) = judge.judge({}, [good, bad])
        assert (found.path, found.pointer) == ("schemas/web.json", "/type")
    assert len(workers.checked) == 3


def test_places_are_looked_up_for_what_workers_find_too() -> None:
    judged_by = schema({"properties": {"a": {"pattern": "x"}}})
    places = {"/a": (2, 3)}.get
    (found,) = SchemaJudge(LocalWorkers()).judge({"a": "y"}, [judged_by], places=places)
    assert (found.line, found.column) == (2, 3)
