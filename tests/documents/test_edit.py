from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge, EditTooLarge
from configsvc.core.names import Format
from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.documents.document import parse_document
from configsvc.documents.edit import MAX_EDIT_BYTES, MAX_EDIT_NODES, check_editable, edit_document
from configsvc.documents.patch import merge_patch
from tests.documents.cases import FOLDER
from tests.documents.editing import Value, edited

PLATFORM = (FOLDER / "edits" / "platform.yaml").read_bytes()


def patched(text: str, patch: Value) -> str:
    """Return the text after a merge patch."""
    return edited(text, merge_patch(parse_document(text.encode(), Format.YAML), patch))


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that differ, each with its sign."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:3] not in ("---", "+++") and line[0] in "+-"]


def at(value: Value, *path: str | int) -> Any:
    found: Any = value
    for step in path:
        found = found[step]
    return found


def setting(*path: str | int, to: object) -> Callable[[Value], None]:
    def change(value: Value) -> None:
        at(value, *path[:-1])[path[-1]] = to

    return change


def removing(*path: str | int) -> Callable[[Value], None]:
    def change(value: Value) -> None:
        del at(value, *path[:-1])[path[-1]]

    return change


def inserting(*path: str | int, index: int, item: object) -> Callable[[Value], None]:
    def change(value: Value) -> None:
        at(value, *path).insert(index, item)

    return change


PLATFORM_EDITS: dict[str, tuple[Callable[[Value], None], list[str]]] = {
    "number with odd spacing": (
        setting("defaults", "retries", to=4),
        # services merge the defaults, so each of them keeps what it has
        ["-  retries: 3", "+  retries: 4", *["+    retries: 3"] * 6],
    ),
    "scalar with a comment": (
        setting("services", "ledger", "port", to=9001),
        [
            "-    port: 8001               # taken from the port plan",
            "+    port: 9001               # taken from the port plan",
        ],
    ),
    "double quotes": (
        setting("services", "refunds", "image", to="registry.example.com/refunds:2.0"),
        [
            '-    image: "registry.example.com/refunds:1.2"',
            '+    image: "registry.example.com/refunds:2.0"',
        ],
    ),
    "single quotes": (
        setting("services", "checkout", "hosts", 1, to="it's new"),
        [
            "-      - 'checkout-b.example.com'  # standby",
            "+      - 'it''s new'  # standby",
        ],
    ),
    "alias": (
        setting("services", "ledger", "owner", to="ledger@example.com"),
        ["-    owner: *owner", "+    owner: ledger@example.com"],
    ),
    "what a merge brought": (
        setting("services", "checkout", "timeout_s", to=60),
        ["+    timeout_s: 60"],
    ),
    "below an alias": (
        setting("services", "checkout", "limits", "cpu", to=8),
        [
            "-    limits: *large",
            "+    limits:",
            "+      cpu: 8",
            "+      memory: 8Gi",
        ],
    ),
    "new key": (
        setting("services", "invoices", "replicas", to={"min": 1, "max": [2, 3]}),
        ["+    replicas:", "+      min: 1", "+      max:", "+      - 2", "+      - 3"],
    ),
    "key removed": (
        removing("services", "ledger", "image"),
        ['-    image: "registry.example.com/ledger:1.1"'],
    ),
    "item removed from an indented list": (
        removing("services", "ledger", "hosts", 1),
        ["-      - 'ledger-b.example.com'  # standby"],
    ),
    "item added to an indented list": (
        inserting("services", "ledger", "hosts", index=3, item="ledger-e.example.com"),
        ["+      - ledger-e.example.com"],
    ),
    "mapping added to a list that is not indented": (
        inserting("jobs", index=1, item={"name": "rotate", "schedule": "0 0 * * *"}),
        ["+- name: rotate", "+  schedule: 0 0 * * *"],
    ),
    "mapping removed from a list that is not indented": (
        removing("jobs", 0),
        [
            "-- name: cleanup",
            '-  schedule: "0 3 * * *"      # quoted: a star begins an alias',
            "-  command: |",
            "-    set -e",
            "-    find /tmp -mtime +3 -delete",
            "-",
            "-    echo done",
        ],
    ),
    "literal block": (
        setting("jobs", 0, "command", to="set -e\nfind /tmp -mtime +7 -delete\n\necho done\n"),
        ["-    find /tmp -mtime +3 -delete", "+    find /tmp -mtime +7 -delete"],
    ),
    "folded block": (
        setting("jobs", 1, "command", to="Collect the figures.\nThen sleep."),
        ["-    Collect the figures of the week", "-    and send them.", "+    Collect the figures."],
    ),
    "brackets on lines of their own": (
        setting("flags", "dark-mode", to=True),
        ["-  dark-mode: false,", "+  dark-mode: true,"],
    ),
    "new key in brackets on lines of their own": (
        setting("flags", "gamma", to="x"),
        ["-  beta: [eu, us],", "+  beta: [eu, us],", "+  gamma: x,"][2:],
    ),
    "item in brackets": (
        inserting("services", "ledger", "routes", 0, "methods", index=1, item="PUT"),
        ["-      methods: [GET, POST]", "+      methods: [GET, PUT, POST]"],
    ),
    "plain text over two lines": (
        setting("message", to="Hello"),
        [
            "-message: Welcome to the platform,",
            "-  written over two lines     # and with a comment",
            "+message: Hello     # and with a comment",
        ],
    ),
    "nothing": (setting("empty", to="full"), ["-empty:", "+empty: full"]),
    "list in a list": (inserting("matrix", 0, index=0, item=0), ["-  - - 1", "+  - - 0", "+    - 1"]),
    "text that must not be read as a number": (setting("last", to="12:30"), ["-last: end", '+last: "12:30"']),
}


def test_the_platform_file_is_as_large_and_as_odd_as_it_should_be() -> None:
    text = PLATFORM.decode()
    assert text.count("\n") >= 200
    assert all(sign in text for sign in ("&defaults", "<<: *defaults", ": |\n", ": >-\n", ": |+\n", "#"))


@pytest.mark.parametrize(
    ("change", "expected"), PLATFORM_EDITS.values(), ids=[name.replace(" ", "-") for name in PLATFORM_EDITS]
)
def test_an_edit_changes_only_the_lines_concerned(
    change: Callable[[Value], None], expected: list[str]
) -> None:
    new = json.loads(json.dumps(parse_document(PLATFORM, Format.YAML)))
    change(new)
    after = edited(PLATFORM, new)
    assert sorted(changed_lines(PLATFORM.decode(), after)) == sorted(expected)


def test_line_ends_of_windows_stay() -> None:
    text = PLATFORM.replace(b"\n", b"\r\n")
    new = parse_document(text, Format.YAML) | {"last": "more", "new": {"a": ["x", "two\nlines\n"]}}
    after = edited(text, new).encode()
    assert after.count(b"\r\n") == after.count(b"\n")
    assert after.startswith(text[: text.index(b"last:")])


@pytest.mark.parametrize(
    ("text", "patch", "expected"),
    [
        ("a: 1", {"b": 2}, "a: 1\nb: 2"),
        ("a: 1\n", {"a": None}, "{}\n"),
        ("{}\n", {"a": {"b": [1]}}, "a:\n  b:\n    - 1\n"),
        ("--- {}\n", {"a": 1}, "---\na: 1\n"),
        ("{a: 1}  # c\n", {"b": [{}]}, "{a: 1, b: [{}]}  # c\n"),
        ("a: {}\n", {"a": {"b": 1}}, "a:\n  b: 1\n"),
        ("a: # c\n  b: 1\n", {"a": 2}, "a: 2 # c\n"),
        ("a: 1 # c\n", {"a": {"b": 1}}, "a: # c\n  b: 1\n"),
        ("a: &x 1\nb: *x\n", {"a": 2}, "a: &x 2\nb: 1\n"),
        ("a: &x 1\nb: *x\n", {"a": 2, "b": 2}, "a: &x 2\nb: *x\n"),
        ("a: &x 1\nb: *x\n", {"a": None}, "b: 1\n"),
        ("a: &x {k: 1}\nb: {<<: *x}\n", {"a": {"l": 1}}, "a: &x {k: 1, l: 1}\nb: {k: 1}\n"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n  m: 1\n", {"b": {"k": None}}, "a: &x {k: 1}\nb:\n  m: 1\n"),
        ("a:\n- b: 1\n  c: 2\n", {"a": [{"c": 2}]}, "a:\n- c: 2\n"),
        ("a:\n- b: 1\n  # why\n  c: 2\n", {"a": [{"c": 2}]}, "a:\n-\n  # why\n  c: 2\n"),
        ("? a\n: 1\nb: 2\n", {"a": None}, "b: 2\n"),
        ("? a\n: 1\n", {"a": 2, "b": 2}, "? a\n: 2\nb: 2\n"),
        ("? a\nb: 2\n", {"a": 1}, "a: 1\nb: 2\n"),
        ("a: 'x'\n", {"a": "\x85"}, 'a: "\\x85"\n'),
        ("a: 1\n", {"b": "x" * 2000}, "a: 1\nb: " + "x" * 2000 + "\n"),
        ("a: 1\n", {"k" * 2000: 1}, "a: 1\n? " + "k" * 2000 + "\n: 1\n"),
        ("a: 1\n", {"<<": "x"}, 'a: 1\n"<<": x\n'),
        ("a: 1\n...\n", {"b": 1}, "a: 1\nb: 1\n...\n"),
        ("a: [1, 2, 3]\n", {"a": [3]}, "a: [3]\n"),
        ("a: [1, 2, 3]\n", {"a": [1]}, "a: [1]\n"),
        ("a: {b, c: }\n", {"a": {"b": 1, "c": 2}}, "a: {b: 1, c: 2}\n"),
        ("a: 10 # c\n", {"a": 1e22}, "a: 1.0e+22 # c\n"),
        ("a: 1\n", {"a": 1.0}, "a: 1.0\n"),
        ("a: 1\n", {"a": True}, "a: true\n"),
        ("a: |+\n  x\n\nb: 1\n", {"b": 2}, "a: |+\n  x\n\nb: 2\n"),
        ("a: |+\n  x\n\nb: 1\n", {"a": "y\n"}, 'a: "y\\n"\nb: 1\n'),
        ("a: 1\nb: 2\n# c\nc: 3\n", {"a": None, "b": None}, "# c\nc: 3\n"),
        ("a: |\n  x", {"b": 1}, "a: |-\n  x\nb: 1\n"),
        ("a:\n  - x\n  - y # c\n", {"a": "two\nlines\n"}, "a: |\n  two\n  lines\n"),
        ("a: 1\n  # deep\n", {"a": "two\nlines\n"}, 'a: "two\\nlines\\n"\n  # deep\n'),
        ("# c\na: |\n  x\nb: 1\n  # deep\n# d\n", {"b": None}, "# c\na: |\n  x\n# d\n"),
        ("a:\n  # lost\n  b: 1\n# kept\n", {"a": None, "c": 1}, "c: 1\n# kept\n"),
    ],
)
def test_an_edit_of_a_small_text_reads_as_a_person_would_write_it(
    text: str, patch: Value, expected: str
) -> None:
    assert patched(text, patch) == expected


@pytest.mark.parametrize("text", ["a: 1  # c\n", "b: [x]\na: {c:   1}\n", "a: &a 1\nb: *a"])
def test_an_equal_value_leaves_the_text_alone(text: str) -> None:
    value = parse_document(text.encode(), Format.YAML)
    assert edited(text, dict(reversed(value.items()))) == text


def test_a_larger_yaml_text_is_not_edited() -> None:
    text = b"a: 1\n" + b"#" * (MAX_EDIT_BYTES - 5)
    assert edited(text, {"a": 2}).startswith("a: 2\n#")
    with pytest.raises(EditTooLarge, match=r"131073 bytes \(expected: <= 131072"):
        edit_document(text + b"#", Format.YAML, {"a": 2})


@pytest.mark.parametrize(
    "dense",
    [
        b"a: [" + b"0," * MAX_EDIT_NODES + b"0]\n",
        b"a:\n" + b"- 0\n" * MAX_EDIT_NODES,
        b"".join(b"k%d: 1\n" % n for n in range(MAX_EDIT_NODES // 2 + 1)),
        b"".join(b"k%d:\n  a: 1\n" % n for n in range(MAX_EDIT_NODES // 4 + 1)),
    ],
    ids=["flow", "list", "mapping", "nested"],
)
def test_a_yaml_text_of_very_many_values_is_too_large_by_its_marks(dense: bytes) -> None:
    assert len(dense) <= MAX_EDIT_BYTES
    with pytest.raises(EditTooLarge, match=r"about 2\d{4} values and keys \(expected: <= 20000 to edit it"):
        check_editable(dense, Format.YAML)


def test_the_new_text_is_held_to_the_bounds() -> None:
    bounds = replace(BOUNDS, max_bytes=30)
    with pytest.raises(DocumentTooLarge):
        edit_document(b"a: 1\n", Format.YAML, {"a": "x" * 40}, bounds=bounds)
    with pytest.raises(DocumentTooLarge):
        edit_document(b'{"a": 1}', Format.JSON, {"a": "x" * 40}, bounds=bounds)
    with pytest.raises(DocumentInvalid):
        edit_document(b"a: [", Format.YAML, {"a": 1})


@pytest.mark.parametrize("format_", Format)
def test_a_depth_beyond_the_interpreter_is_refused(format_: Format) -> None:
    bounds = replace(BOUNDS, max_depth=600)
    new: Value = {}
    for _ in range(500):
        new = {"a": new}
    with pytest.raises(DocumentInvalid, match="depth: more than"):
        edit_document(b'{"a": 1}', format_, new, bounds=bounds)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"b": 1.0, "a": "\u00e9"}, '{\n  "b": 1.00,\n  "a": "\\u00e9"\n}\n'),
        ({"a": "\u00e9", "b": 1, "c": 2}, '{\n  "b": 1,\n  "c": 2,\n  "a": "\\u00e9"\n}\n'),
        ({"a": "\u00e9", "l": [1e3, 2]}, '{\n  "a": "\\u00e9",\n  "l": [\n    1000.0,\n    2\n  ]\n}\n'),
        ({"l": [100.0]}, '{\n  "l": [\n    1E2\n  ]\n}\n'),
        ({"l": [0, {"x": "\u00fc"}]}, '{\n  "l": [\n    0,\n    {\n      "x": "\u00fc"\n    }\n  ]\n}\n'),
        ({}, "{}\n"),
    ],
)
def test_json_keeps_order_and_spelling(new: Value, expected: str) -> None:
    text = b'{"b": 1.00, "a": "\\u00e9", "l": [1E2, {"x": 1}]}'
    assert edited(text, new, Format.JSON) == expected
