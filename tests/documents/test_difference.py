from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.documents.difference import difference
from configsvc.documents.document import fingerprint
from configsvc.documents.patch import MAX_OPERATIONS, Value, apply_patch

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, 1e300]),
    st.sampled_from(["", "a", "b", "~", "/", "~1", "-", "0"]),
)
KEYS = st.sampled_from(["a", "b", "c", "", "~", "/", "a/b", "~0", "0", "-"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=6)


def assert_leads_from_one_to_the_other(old: Value, new: Value) -> None:
    patch = difference(old, new)
    assert fingerprint(apply_patch(old, json.loads(json.dumps(patch)))) == fingerprint(new)
    assert (patch == []) == (fingerprint(old) == fingerprint(new))


@pytest.mark.thorough
@pytest.mark.slow
@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=150, deadline=None)
def test_the_difference_of_two_values_leads_from_one_to_the_other(old: Value, new: Value) -> None:
    assert_leads_from_one_to_the_other(old, new)


@pytest.mark.soak
@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=250_000, deadline=None)
def test_no_two_values_of_a_quarter_of_a_million_pairs_are_led_astray(old: Value, new: Value) -> None:
    assert_leads_from_one_to_the_other(old, new)


@pytest.mark.parametrize(
    ("old", "new", "operations"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 1.0}, [{"op": "replace", "path": "/a", "value": 1.0}]),
        ({"a": 1}, {"a": True}, [{"op": "replace", "path": "/a", "value": True}]),
        ({"a": 1}, {}, [{"op": "remove", "path": "/a"}]),
        ({}, {"~/": 1}, [{"op": "add", "path": "/~0~1", "value": 1}]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [{"op": "remove", "path": "/a/1"}]),
        ({"a": [1, 3]}, {"a": [1, 2, 3]}, [{"op": "add", "path": "/a/1", "value": 2}]),
        (
            {"a": [{"n": 1, "x": 1}, {"n": 2}]},
            {"a": [{"n": 1, "x": 2}, {"n": 2}]},
            [{"op": "replace", "path": "/a/0/x", "value": 2}],
        ),
        ({"a": {"b": {}}}, {"a": {"b": []}}, [{"op": "replace", "path": "/a/b", "value": []}]),
    ],
)
def test_only_what_differs_is_named(old: Value, new: Value, operations: list[object]) -> None:
    assert difference(old, new) == operations


def nested(levels: int, bottom: object) -> object:
    value = bottom
    for _ in range(levels):
        value = [value]
    return value


HOSTILE: list[tuple[Value, Value]] = [
    ({"a": [n % 2 for n in range(50_000)]}, {"a": [n % 3 for n in range(50_000)]}),
    (
        {str(n): [each % 2 for each in range(100)] for n in range(900)},
        {str(n): [each % 3 for each in range(100)] for n in range(900)},
    ),
    ({"a": nested(60, list(range(90_000)))}, {"a": nested(60, list(range(1, 90_001)))}),
    ({str(n): n for n in range(40_000)}, {str(n): n + 1 for n in range(40_000)}),
    (
        {"k" * 500_000: {str(n): n for n in range(900)}},
        {"k" * 500_000: {str(n): n + 1 for n in range(900)}},
    ),
]


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("pair", HOSTILE, ids=["coin", "many", "deep", "wide", "keys"])
def test_no_two_values_take_long_or_make_more_operations_than_a_patch_may_have(
    pair: tuple[Value, Value],
) -> None:
    began = time.process_time()
    patch = difference(*pair)
    assert time.process_time() - began < 3
    assert len(patch) <= MAX_OPERATIONS
    assert sum(len(str(operation["path"])) for operation in patch) <= 1 << 20
    assert fingerprint(apply_patch(pair[0], patch)) == fingerprint(pair[1])
