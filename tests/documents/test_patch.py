from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import DocumentInvalid, PatchFailed
from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.documents.patch import MAX_OPERATIONS, apply_patch, merge_patch
from configsvc.documents.yaml import parse_yaml

KEYS = st.sampled_from(["a", "b", "a/b", "m~n", "", "0", "-"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
POINTERS = st.lists(st.sampled_from(["a", "b", "a~1b", "0", "1", "-", "01"]), max_size=3).map(
    lambda steps: "".join(f"/{step}" for step in steps)
)
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": POINTERS,
        "from": POINTERS,
        "value": VALUES,
    }
)


@pytest.mark.parametrize(  # RFC 7396, appendix A, as far as documents are mappings
    ("value", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": [None]}, {}, {"a": [None]}),
    ],
)
def test_a_merge_patch_does_what_its_rfc_says(value: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy((value, patch))
    assert merge_patch(value, patch) == expected
    assert (value, patch) == before


@pytest.mark.parametrize("patch", [[], "a", None, 1])
def test_a_merge_patch_that_is_no_mapping_is_refused(patch: Any) -> None:
    with pytest.raises(DocumentInvalid, match="is no mapping"):
        merge_patch({"a": 1}, patch)


@pytest.mark.parametrize(
    ("value", "operation", "expected"),
    [
        ({"a": 1}, {"op": "add", "path": "/b", "value": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"op": "add", "path": "/a", "value": None}, {"a": None}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/1", "value": 3}, {"a": [1, 3, 2]}),
        ({"a": [1]}, {"op": "add", "path": "/a/1", "value": 3}, {"a": [1, 3]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": [2]}, {"a": [1, [2]]}),
        ({"a": 1}, {"op": "add", "path": "", "value": {"b": 1}}, {"b": 1}),
        ({"a": 1}, {"op": "add", "path": "/", "value": 2}, {"a": 1, "": 2}),
        ({"a/b": {"m~n": 1}}, {"op": "replace", "path": "/a~1b/m~0n", "value": 2}, {"a/b": {"m~n": 2}}),
        ({"~1": 1}, {"op": "remove", "path": "/~01"}, {}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a": {"-": 1, "01": 2}}, {"op": "remove", "path": "/a/-"}, {"a": {"01": 2}}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
        ({"a": [1, 2, 3]}, {"op": "move", "from": "/a/0", "path": "/a/2"}, {"a": [2, 3, 1]}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/a"}, {"a": 1}),
        ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/a/0"}, {"a": [[1], 1]}),
        ({"a": 1.0}, {"op": "test", "path": "/a", "value": 1}, {"a": 1.0}),
        ({"a": {"b": [1], "c": 2}}, {"op": "test", "path": "/a", "value": {"c": 2.0, "b": [1]}}, None),
        ({"a": 1, "more": 1}, {"op": "test", "path": "", "value": {"more": 1, "a": 1}}, None),
    ],
)
def test_an_operation_does_what_its_rfc_says(value: Any, operation: Any, expected: Any) -> None:
    before = copy.deepcopy((value, operation))
    assert apply_patch(value, [operation]) == (value if expected is None else expected)
    assert (value, operation) == before


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "remove", "path": "/x"}, "nothing at 'x'"),
        ({"op": "remove", "path": ""}, "the whole document"),
        ({"op": "replace", "path": "/x", "value": 1}, "nothing at 'x'"),
        ({"op": "replace", "path": "/l/-", "value": 1}, "'-' in a list of 2"),
        ({"op": "add", "path": "/x/y", "value": 1}, "nothing at 'x'"),
        ({"op": "add", "path": "/s/y", "value": 1}, "'y' below a scalar"),
        ({"op": "add", "path": "/l/3", "value": 1}, "'3' in a list of 2"),
        ({"op": "add", "path": "/l/01", "value": 1}, "'01' in a list of 2"),
        ({"op": "add", "path": "/l/-1", "value": 1}, "'-1' in a list of 2"),
        ({"op": "add", "path": "/l/1e0", "value": 1}, "'1e0' in a list of 2"),
        ({"op": "add", "path": "/l/\u0661", "value": 1}, "in a list of 2"),
        ({"op": "remove", "path": "/s/0"}, "nothing at '0'"),
        ({"op": "move", "from": "/l", "path": "/l/0"}, "contains path"),
        ({"op": "copy", "from": "/x", "path": "/y"}, "nothing at 'x'"),
        ({"op": "test", "path": "/t", "value": 1}, "another value"),
        ({"op": "test", "path": "/l", "value": [1]}, "another value"),
        ({"op": "test", "path": "/s", "value": None}, "another value"),
        ({"op": "test", "path": "/x", "value": None}, "nothing at 'x'"),
    ],
)
def test_an_operation_that_does_not_fit_the_value_fails(operation: Any, message: str) -> None:
    value = {"s": "text", "l": [1, 2], "t": True}
    with pytest.raises(PatchFailed, match="operation 1: ") as failed:
        apply_patch(value, [{"op": "test", "path": "/s", "value": "text"}, operation])
    assert message in failed.value.message
    assert failed.value.details[0]["operation"] == 1
    assert value == {"s": "text", "l": [1, 2], "t": True}


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "remove", "path": "/a"},
        ["remove"],
        [{"op": "merge", "path": "/a"}],
        [{"op": ["add"], "path": "/a"}],
        [{"path": "/a"}],
        [{"op": "remove"}],
        [{"op": "remove", "path": 1}],
        [{"op": "remove", "path": "a"}],
        [{"op": "remove", "path": "/~2"}],
        [{"op": "remove", "path": "/a~"}],
        [{"op": "add", "path": "/b"}],
        [{"op": "test", "path": "/a"}],
        [{"op": "move", "path": "/b"}],
        [{"op": "copy", "path": "/b", "from": None}],
        [{"op": "replace", "path": "", "value": [1]}],
        [{"op": "test", "path": "/a", "value": 1}] * (MAX_OPERATIONS + 1),
    ],
)
def test_what_is_no_patch_is_refused(patch: Any) -> None:
    with pytest.raises(DocumentInvalid):
        apply_patch({"a": 1}, patch)


def test_a_change_at_one_alias_is_none_at_the_others() -> None:
    value = parse_yaml(b"a: &a {x: [1]}\nb: *a\n", bounds=BOUNDS)
    assert apply_patch(value, [{"op": "add", "path": "/b/x/-", "value": 2}]) == {
        "a": {"x": [1]},
        "b": {"x": [1, 2]},
    }


def test_a_copy_has_a_life_of_its_own() -> None:
    patch = [
        {"op": "add", "path": "/a/0", "value": 0},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/a/-", "value": 2},
        {"op": "add", "path": "/b/-", "value": 3},
    ]
    assert apply_patch({"a": [1]}, patch) == {"a": [0, 1, 2], "b": [0, 1, 3]}


def test_the_result_is_held_to_the_bounds() -> None:
    bounds = replace(BOUNDS, max_nodes=5, max_depth=3)
    assert apply_patch({"a": 1}, [{"op": "add", "path": "/b", "value": 1}], bounds=bounds)
    with pytest.raises(DocumentInvalid, match=r"nodes: 6 \(expected: <= 5\)"):
        apply_patch({"a": 1}, [{"op": "add", "path": "/b", "value": [1]}], bounds=bounds)
    with pytest.raises(DocumentInvalid, match=r"nodes: 7 \(expected: <= 5\)"):
        merge_patch({"a": 1, "b": 2}, {"c": 3}, bounds=bounds)
    with pytest.raises(DocumentInvalid, match=r"depth: 4 \(expected: <= 3\)"):
        merge_patch({}, {"a": {"b": {"c": {}}}}, bounds=replace(bounds, max_nodes=50))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(OBJECTS, st.lists(OPERATIONS, max_size=6))
def test_any_patch_is_applied_or_refused_and_changes_nothing_it_was_given(value: Any, patch: Any) -> None:
    before = json.dumps([value, patch])
    try:
        result = apply_patch(value, patch)
    except (DocumentInvalid, PatchFailed):
        pass
    else:
        assert json.dumps(result)
    assert json.dumps([value, patch]) == before


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_is_applied_once(value: Any, patch: Any) -> None:
    once = merge_patch(value, patch)
    assert merge_patch(once, patch) == once
