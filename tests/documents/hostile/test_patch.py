"""Patches made to cost time or memory."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from configsvc.core.errors import DocumentInvalid
from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.documents.patch import apply_patch

HOSTILE: dict[str, tuple[Any, list[Any], str]] = {
    "doubling": ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/a/-"}] * 1000, "(expected: <= "),
    "doubling text": (
        {"a": ["x" * 100_000]},
        [{"op": "copy", "from": "/a/0", "path": "/a/-"}] * 1000,
        "size: ",
    ),
    "doubling digits": (
        {"a": [10**4000]},
        [{"op": "copy", "from": "/a/0", "path": "/a/-"}] * 900 + [{"op": "copy", "from": "/a", "path": "/b"}],
        "size: ",
    ),
    "one large copy again and again": (
        {"a": [1] * 40_000},
        [{"op": "copy", "from": "/a", "path": "/b"}] * 1000,
        "looks at over 1000000 nodes",
    ),
    "depth": (
        {"a": {"a": 1}},
        [{"op": "copy", "from": "/a", "path": "/a" * depth} for depth in range(2, 80)],
        "depth: ",
    ),
}


@pytest.mark.parametrize(("value", "patch", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_patch_is_refused_in_little_time(value: Any, patch: list[Any], message: str) -> None:
    begin = time.process_time()
    with pytest.raises(DocumentInvalid) as refused:
        apply_patch(value, patch, bounds=replace(BOUNDS, max_expanded_bytes=1 << 20))
    assert message in refused.value.message
    assert time.process_time() - begin < 2.0


def test_a_large_patch_of_a_large_value_is_applied_in_little_time() -> None:
    value: dict[str, object] = {str(number): number for number in range(45_000)}
    patch: list[dict[str, object]] = []
    for number in range(500):
        patch.append({"op": "replace", "path": f"/{number}", "value": [number]})
        patch.append({"op": "copy", "from": f"/{number}", "path": f"/copy{number}"})
    begin = time.process_time()
    assert len(apply_patch(value, patch)) == 45_500
    assert time.process_time() - begin < 3.0
