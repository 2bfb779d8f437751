"""JSON texts made to cost time or memory."""

from __future__ import annotations

import time

import pytest

from tests.documents.refusals import json_refusal

MIB = 1 << 20
HOSTILE = {
    "lists": b"[" * 500_000,
    "few lists": b"[" * 40_000,
    "objects": b'{"a":' * 200_000,
    "spaced lists": b"[ " * 500_000,
    "closers": b"]" * MIB,
    "commas": b"[" + b"," * 300_000,
    "quotes": b'"' * MIB,
    "backslashes": b'{"a":"' + b"\\" * (MIB - 6),
    "escaped quotes": b'{"a":"' + b'\\"' * 500_000,
    "digits": b'{"a":' + b"1" * (MIB - 5),
    "digits and dots": b'{"a":' + b"1." * 500_000,
    "minus signs": b'{"a":' + b"-" * (MIB - 5),
    "blanks": b"{" + b" " * (MIB - 1),
    "blank lists": b"[" + b" " * 500_000 + b"[" + b" " * 500_000,
    "nodes": b'{"a":[' + b"1," * 500_000 + b"1]}",
    "empty lists": b'{"a":[' + b"[]," * 300_000 + b"[]]}",
    "keys": b"{" + b",".join(b'"%d":1' % i for i in range(90_000)) + b"}",
    "repeated key at the end": b"{" + b",".join(b'"%d":1' % i for i in range(20_000)) + b',"7":1}',
    "nan at the end": b'{"a":[' + b"1," * 40_000 + b"NaN]}",
    "late surrogate": b'{"a":[' + b'"\\ud83d\\ude00",' * 20_000 + b'"\\ud800"]}',
    "long key before an error": b'{"' + b"k" * 1_000_000 + b'":NaN}',
    "wrong byte at the end": b'{"a":"' + b"a\n" * 500_000 + b"\xff",
    "deep keys before an error": b'{"kkkkkkkkkk":' * 60 + b"[" + b"1," * 40_000 + b"NaN",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_in_little_time(data: bytes) -> None:
    assert len(data) <= MIB
    begin = time.process_time()
    message = json_refusal(data)
    assert time.process_time() - begin < 2.0
    assert len(message) < 400


@pytest.mark.parametrize("name", ["lists", "few lists", "objects", "spaced lists"])
def test_depth_is_refused_in_milliseconds(name: str) -> None:
    times = []
    for _ in range(3):
        begin = time.process_time()
        json_refusal(HOSTILE[name])
        times.append(time.process_time() - begin)
    assert min(times) < 0.05
