"""Texts, names and patches with random faults: each is taken, or refused in words."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from configsvc.core.errors import DocumentInvalid, NameInvalid, PatchFailed
from configsvc.core.names import Format, document_path, find_document, parse_service
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import Value, fingerprint, parse_document, read_document
from configsvc.documents.edit import edit_document
from configsvc.documents.patch import apply_patch, merge_patch

CASES = Path(__file__).parent
TEXTS = [path.read_bytes() for path in sorted([*CASES.glob("positive/*.*"), *CASES.glob("edits/*")])]
FRAGMENTS = [
    *(
        b"\n",
        b"\r",
        b"\t",
        b" ",
        b"  ",
        b":",
        b": ",
        b"- ",
        b"? ",
        b"#",
        b"&a ",
        b"*a",
        b"<<: *a\n",
        b"!!str ",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"'",
        b"|\n",
        b">-\n",
        b"%YAML 1.2\n",
        b"---\n",
        b"...\n",
        b"\\u0000",
        b"\\ud800",
    ),
    *(
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\x00",
        b"1e999",
        b"NaN",
        b"0x10",
        b"null",
        b"~",
    ),
]
NAMES = ["nginx", "payments/api", "a/b/c/d/e/f/g/h", "x" * 100, "con", "a.json", "..", "%2e%2e"]
PIECES = [
    "/",
    ".",
    "..",
    "-",
    "_",
    "\0",
    "\n",
    "A",
    "é",
    "\u202e",
    "%2f",
    "\\",
    " ",
    "~",
    "git",
    ".git",
    "x" * 60,
]
BOUNDS = Bounds(max_bytes=1 << 16, max_depth=16, max_nodes=2000, max_expanded_bytes=1 << 16)


def spoilt(source: random.Random, data: bytes, fragments: list[bytes]) -> bytes:
    """Return `data` with up to six faults."""
    result = bytearray(data)
    for _ in range(source.randint(1, 6)):
        place = source.randint(0, len(result))
        match source.randint(0, 3):
            case 0:
                result[place : place + 1] = bytes([source.randint(0, 255)])
            case 1:
                result[place:place] = source.choice(fragments)
            case 2:
                del result[place : place + source.randint(1, 20)]
            case _:
                result[place:place] = result[max(0, place - source.randint(1, 200)) : place]
    return bytes(result)


def a_value(source: random.Random, depth: int = 0) -> object:
    """Return a random value that JSON has."""
    kind = source.randint(0, 7 if depth < 4 else 5)
    if kind == 6:
        return [a_value(source, depth + 1) for _ in range(source.randint(0, 4))]
    if kind == 7:
        return a_mapping(source, depth)
    return source.choice([None, True, False, 0, -1, 1.5, 1e300, "", "a", "yes", "# x", "a: b", "\u2028", "1"])


def a_mapping(source: random.Random, depth: int = 0) -> Value:
    keys = ["a", "b", "", "~", "/", "x: y", "- ", "0", "null", "é"]
    return {source.choice(keys): a_value(source, depth + 1) for _ in range(source.randint(0, 5))}


def a_pointer(source: random.Random) -> str:
    steps = ["/a", "/b", "/", "/0", "/-", "/~0", "/~1", "~", "a", "/01", "/99999999999999999999"]
    return "".join(source.choice(steps) for _ in range(source.randint(0, 3)))


def a_patch(source: random.Random) -> object:
    operations = ["add", "remove", "replace", "move", "copy", "test", "spam", None]
    members: list[dict[str, object]] = [
        {"op": source.choice(operations), "path": a_pointer(source), "from": a_pointer(source)}
        for _ in range(source.randint(0, 6))
    ]
    for member in members:
        if source.random() < 0.8:
            member["value"] = a_value(source)
    return source.choice([members, members, members, a_value(source)])


def check_text(source: random.Random) -> None:
    """What is taken is stored as text of the same value, whose form is stable."""
    data = spoilt(source, source.choice(TEXTS), FRAGMENTS)
    format_ = source.choice(list(Format))
    try:
        document = read_document(data, format_, bounds=BOUNDS)
    except DocumentInvalid:
        return
    again = read_document(document.data, format_, bounds=BOUNDS)
    assert again.data == document.data
    assert fingerprint(again.value) == fingerprint(document.value)


def check_name(source: random.Random) -> None:
    """What is taken as a name leads to a file of the repository, and that file back to the name."""
    name = source.choice(NAMES)
    for _ in range(source.randint(0, 4)):
        place = source.randint(0, len(name))
        name = name[:place] + source.choice(PIECES) + name[place + source.randint(0, 2) :]
    try:
        parse_service(name)
    except NameInvalid:
        return
    path = document_path(name, Format.JSON)
    found = find_document(path)
    assert found is not None
    assert found.service == name
    assert not any(part in ("", ".", "..") or part.startswith(".") for part in path.split("/"))


def check_patch(source: random.Random) -> None:
    """A patch applies or is refused, and leaves what it was given as it was."""
    value = a_mapping(source)
    before = fingerprint(value)
    for patch in (merge_patch, apply_patch):
        with contextlib.suppress(DocumentInvalid, PatchFailed):
            patch(value, a_patch(source), bounds=BOUNDS)
    assert fingerprint(value) == before


def check_edit(source: random.Random) -> None:
    """An edited text says exactly the new value."""
    data = source.choice(TEXTS)
    for format_ in Format:
        try:
            old = parse_document(data, format_, bounds=BOUNDS)
            new = {**old, **a_mapping(source)}
            edited = edit_document(data, format_, new, bounds=BOUNDS)
        except DocumentInvalid:
            continue
        assert fingerprint(parse_document(edited, format_, bounds=BOUNDS)) == fingerprint(new)


CHECKS = {"texts": check_text, "names": check_name, "patches": check_patch, "edits": check_edit}
COUNTS = {"texts": 3000, "names": 5000, "patches": 5000, "edits": 1000}


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("what", CHECKS)
def test_bounded_what_is_random_is_taken_or_refused_in_words(what: str) -> None:
    for seed in range(COUNTS[what]):
        run(what, seed)


@pytest.mark.soak
@pytest.mark.parametrize("what", CHECKS)
def test_bounded_a_million_random_cases_are_taken_or_refused_in_words(what: str) -> None:
    share = COUNTS[what] * 1_000_000 // sum(COUNTS.values())
    for seed in range(10_000, 10_000 + share):
        run(what, seed)
    print(f"{what}: {share} cases")


def run(what: str, seed: int) -> None:
    try:
        CHECKS[what](random.Random(seed))
    except Exception as error:
        error.add_note(f"{what}, seed {seed}")
        raise
