from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge
from configsvc.documents.meta import META_BOUNDS, Meta, parse_meta
from configsvc.documents.metaedit import edit_meta

MISLEADING = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u061c\u200e\u200f\u202e\u2066\u2069"]
ALLOWED_CONTROLS = "\t\n"
BAD = {*MISLEADING, *"\u202a\u202b\u202c\u202d\u2067\u2068"} - {*ALLOWED_CONTROLS}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20).filter(BAD.isdisjoint)
OLD = st.sampled_from(
    [
        None,
        b"# c\nowner: x\n",
        b"owner: 'x'\ndescription: >\n  folded\n  text\n",
        b"{owner: x, description: 'x'} # c\n",
        b"description: |\n  two\n  lines\nenabled: false\n",
        b'owner: "x" # c\r\n# d\r\n',
        b"owner: &o x\ndescription: *o\n",
    ]
)


def edited(old: bytes | None, meta: Meta) -> str | None:
    data = edit_meta(old, meta)
    return None if data is None else data.decode()


def test_no_file_means_the_defaults() -> None:
    assert parse_meta(None) == Meta(enabled=True, owner="", description="")


def test_a_file_says_what_it_says() -> None:
    text = b"# about\nowner: payments team\nenabled: false\ndescription: |\n  two\n  lines\n"
    assert parse_meta(text) == Meta(False, "payments team", "two\nlines\n")
    assert parse_meta(b"{}") == Meta()


@pytest.mark.parametrize(
    ("text", "pointers", "message"),
    [
        ("owners: x", ["/owners"], "unknown key 'owners' (expected: enabled, owner, description)"),
        ("enabled: yes", ["/enabled"], "enabled: another type (expected: true or false)"),
        ("enabled: 1", ["/enabled"], "expected: true or false"),
        ("enabled: null", ["/enabled"], "expected: true or false"),
        ("owner: 12", ["/owner"], "owner: another type (expected: a string)"),
        ("owner: true", ["/owner"], "expected: a string"),
        ("description: [a]", ["/description"], "expected: a string"),
        ("a/b: 1\nenabled: 2", ["/a~1b", "/enabled"], "unknown key 'a/b'"),
    ],
)
def test_unknown_keys_and_wrong_types_are_named(text: str, pointers: list[str], message: str) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        parse_meta(text.encode())
    assert message in refused.value.message
    assert [found["pointer"] for found in refused.value.details] == pointers


@pytest.mark.parametrize("character", [each for each in MISLEADING if each not in ALLOWED_CONTROLS])
@pytest.mark.parametrize("key", ["owner", "description"])
def test_characters_that_mislead_are_refused_from_a_person_and_from_a_program(
    key: str, character: str
) -> None:
    message = rf"{key}: character U\+{ord(character):04X} "
    with pytest.raises(DocumentInvalid, match=message) as refused:
        parse_meta(f'{key}: "a\\u{ord(character):04x}b"\n'.encode())
    assert [found["pointer"] for found in refused.value.details] == [f"/{key}"]
    with pytest.raises(DocumentInvalid, match=message):
        edit_meta(None, replace(Meta(), **{key: f"a{character}b"}))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a", "owner: [", "owner: !!str x", "a: 1\na: 2"])
def test_what_is_no_document_is_no_meta(text: str) -> None:
    with pytest.raises(DocumentInvalid):
        parse_meta(text.encode())


@pytest.mark.parametrize(
    ("old", "meta", "new"),
    [
        (None, Meta(), None),
        (None, Meta(False), "enabled: false\n"),
        (None, Meta(False, "ops", "Front door."), 'enabled: false\nowner: ops\ndescription: "Front door."\n'),
        (None, Meta(owner="yes"), 'owner: "yes"\n'),
        ("enabled: false\n", Meta(), None),
        ("owner: '#x'\nenabled: false\n", Meta(), None),
        ("{}\n", Meta(), None),
        ("# why\nenabled: false\n", Meta(), "# why\nenabled: true\n"),
        ("enabled: false # why\n", Meta(), "enabled: true  # why\n"),
        ("enabled: true\n\n# end\n", Meta(), "enabled: true\n\n# end\n"),
        ("description: | # c\n  x\n", Meta(), "description: | # c\n"),
        ("owner: 'me'\n# c\nenabled: true\n", Meta(False, "you"), "owner: 'you'\n# c\nenabled: false\n"),
        ('"owner": "me"\n', Meta(False, "me"), '"owner": "me"\nenabled: false\n'),
        ("---\nowner: me\n", Meta(False, "me"), "---\nowner: me\nenabled: false\n"),
        (
            "owner: me\r\n# c\r\nenabled: true\r\n",
            Meta(False, "me"),
            "owner: me\r\n# c\r\nenabled: false\r\n",
        ),
        ("{owner: me}\n", Meta(False, "me"), "{owner: me, enabled: false}\n"),
        (
            "description: |\n  a\n  b\n",
            Meta(False, "", "a\nb\n"),
            "description: |\n  a\n  b\nenabled: false\n",
        ),
    ],
)
def test_an_edit_changes_only_what_differs(old: str | None, meta: Meta, new: str | None) -> None:
    assert edited(None if old is None else old.encode(), meta) == new


@pytest.mark.parametrize("old", ["enabled:   true", "# c\nowner:  x # d", "enabled: TRUE\n"])
def test_an_edit_that_changes_nothing_keeps_every_byte(old: str) -> None:
    meta = parse_meta(old.encode())
    assert edited(old.encode(), meta) in (old, None if meta == Meta() else old)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(OLD, st.builds(Meta, st.booleans(), TEXTS, TEXTS))
def test_what_was_written_reads_as_what_was_meant(old: bytes | None, meta: Meta) -> None:
    data = edit_meta(old, meta)
    assert parse_meta(data) == meta
    assert edit_meta(data, meta) == data


@pytest.mark.parametrize("text", ["\ud83d", "a\udcff"])
def test_text_that_utf8_cannot_write_is_refused(text: str) -> None:
    with pytest.raises(DocumentInvalid):
        edit_meta(None, Meta(owner=text))


def test_a_file_has_a_bound_before_and_after_an_edit() -> None:
    with pytest.raises(DocumentTooLarge):
        parse_meta(b"#" * (META_BOUNDS.max_bytes + 1))
    with pytest.raises(DocumentTooLarge):
        edit_meta(None, Meta(description="x" * META_BOUNDS.max_bytes))


def test_an_invalid_file_is_not_edited() -> None:
    with pytest.raises(DocumentInvalid, match="unknown key"):
        edit_meta(b"team: x\n", Meta(False))
