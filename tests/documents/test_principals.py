from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from configsvc.core.errors import DocumentInvalid, DocumentTooLarge
from configsvc.core.patterns import parse_pattern
from configsvc.core.principals import Principal, Role, Token
from configsvc.documents.bounds import DEFAULT_BOUNDS
from configsvc.documents.meta import misleading
from configsvc.documents.principals import MAX_TOKENS, parse_principal, write_principal
from configsvc.documents.yaml import parse_yaml

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "principal.schema.json").read_text(encoding="utf-8")
)
HASH = "0123456789abcdef" * 4
FULL = f"""# who deploys
description: deploys from CI
email: deploys@example.com
unix_user: deploy
roles:
  payments/**: writer # theirs
  "**": reader
tokens:
  - sha256: {HASH}
    created: 2026-10-01T09:00:00Z
    expires: 2027-01-01T00:00:00Z
  - sha256: {HASH[::-1]}
"""
PARSED = Principal(
    "deploy-bot",
    ((parse_pattern("payments/**"), Role.WRITER), (parse_pattern("**"), Role.READER)),
    (Token(HASH, "2026-10-01T09:00:00Z", "2027-01-01T00:00:00Z"), Token(HASH[::-1])),
    "deploys from CI",
    "deploys@example.com",
    "deploy",
)
TIMES = st.sampled_from(["", "2026-10-01T09:00:00Z", "2030-12-31T23:59:59Z"])
TOKENS = st.builds(Token, st.text("0123456789abcdef", min_size=64, max_size=64), TIMES, TIMES)
PATTERNS = st.sampled_from(["**", "*", "a", "a/*", "a/**", "*/b", "yes", "null", "1"]).map(parse_pattern)
PRINCIPALS = st.builds(
    Principal,
    st.just("x"),
    st.dictionaries(PATTERNS, st.sampled_from(list(Role))).map(lambda roles: tuple(roles.items())),
    st.lists(TOKENS, max_size=3, unique_by=lambda token: token.sha256).map(tuple),
    st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda text: misleading(text) is None),
    st.sampled_from(["", "a@b.example"]),
    st.sampled_from(["", "deploy", "yes", "null"]),
)


def refusal(text: str) -> DocumentInvalid:
    with pytest.raises(DocumentInvalid) as refused:
        parse_principal("x", text.encode())
    return refused.value


def test_a_file_says_what_it_says() -> None:
    assert parse_principal("deploy-bot", FULL.encode()) == PARSED
    assert parse_principal("x", b"{}") == Principal("x")


INVALID = [
    ("role: x", ["/role"], "unknown key 'role' (expected: description, email, unix_user, roles, tokens)"),
    ("description: 1", ["/description"], "description: another value (expected: a string"),
    (f"description: {'a' * 501}", ["/description"], "of <= 500 characters"),
    ("email: none", ["/email"], "expected: an address"),
    ("email: 'a>b@c'", ["/email"], "expected: an address"),
    ("unix_user: 'a b'", ["/unix_user"], "expected: the name of a Unix user"),
    ("roles: [admin]", ["/roles"], "expected: a mapping of <= 100 path patterns to roles"),
    ("roles: {a: owner}", ["/roles/a"], "role: another value (expected: reader, writer, admin)"),
    ("roles: {a: true}", ["/roles/a"], "expected: reader, writer, admin"),
    ("roles: {a: [reader]}", ["/roles/a"], "expected: reader, writer, admin"),
    ("roles: {pay*/x: reader}", ["/roles/pay*~1x"], "path pattern: 'pay*/x' (expected: *"),
    ("tokens: {}", ["/tokens"], "expected: a list of <= 10 tokens"),
    ("tokens: [x]", ["/tokens/0"], "expected: a mapping with sha256, created, expires"),
    ("tokens: [{}]", ["/tokens/0"], "token: without sha256"),
    (f"tokens: [{{sha256: {HASH}, x: 1}}]", ["/tokens/0/x"], "unknown key 'x'"),
    (f"tokens: [{{sha256: {HASH.upper()}}}]", ["/tokens/0/sha256"], "64 hex digits in lower case"),
    (f"tokens: [{{sha256: {'1' * 64}}}]", ["/tokens/0/sha256"], "expected: a string of 64"),
    (f"tokens: [{{sha256: {HASH}, expires: 2027-01-01}}]", ["/tokens/0/expires"], "a time in UTC"),
    (f"tokens: [{{sha256: {HASH}, created: 1}}]", ["/tokens/0/created"], "a time in UTC"),
]


@pytest.mark.parametrize(("text", "pointers", "message"), INVALID)
def test_unknown_keys_and_wrong_values_are_named(text: str, pointers: list[str], message: str) -> None:
    error = refusal(text)
    assert [found["pointer"] for found in error.details] == pointers
    assert message in error.message
    assert HASH not in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"tokens: [{{sha256: {HASH}, expires: '2027-13-01T00:00:00Z'}}]", "a time in UTC"),
        (f"tokens: [{{sha256: {HASH}}}, {{sha256: {HASH}}}]", "one stands twice"),
        (f'tokens: [{{sha256: "\\x30{HASH[1:]}"}}]', "written with escapes"),
        (f'tokens: [{{sha256: "{HASH[:9]}\\\n  {HASH[9:]}"}}]', "written with escapes or line breaks"),
        ("roles: {**: reader}", "alias"),
        ("roles: {a: reader, a: writer}", "duplicate key 'a'"),
        ("- a", "expected: a mapping"),
        ("", "expected: a mapping"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_too(text: str, message: str) -> None:
    assert message in refusal(text).message


def test_every_finding_is_told_with_its_place() -> None:
    details = refusal("roles:\n  a: boss\ntokens:\n  - sha256: x\n    y: 1\nz: 1\n").details
    assert [(found["pointer"], found["line"], found["column"]) for found in details] == [
        ("/z", 6, 1),
        ("/roles/a", 2, 6),
        ("/tokens/0/y", 5, 5),
        ("/tokens/0/sha256", 4, 13),
    ]


def test_a_file_is_small() -> None:
    with pytest.raises(DocumentTooLarge):
        parse_principal("x", b"# " + b"x" * (1 << 15))


@pytest.mark.parametrize("text", [text for text, _, _ in INVALID])
def test_the_published_schema_refuses_what_the_parser_refuses(text: str) -> None:
    value = parse_yaml(text.encode(), bounds=DEFAULT_BOUNDS)
    assert not Draft202012Validator(SCHEMA).is_valid(value)


@pytest.mark.slow
@given(PRINCIPALS)
def test_what_is_written_reads_the_same_and_is_what_the_schema_says(principal: Principal) -> None:
    data = write_principal(principal)
    assert parse_principal("x", data) == principal
    Draft202012Validator(SCHEMA).validate(parse_yaml(data, bounds=DEFAULT_BOUNDS))


def test_the_published_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_an_edit_keeps_what_it_does_not_change() -> None:
    changed = replace(PARSED, tokens=(PARSED.tokens[1], Token("f" * 64)))
    written = write_principal(changed, FULL.encode()).decode()
    assert parse_principal("deploy-bot", written.encode()) == changed
    assert "# who deploys" in written
    assert "payments/**: writer # theirs" in written
    assert HASH not in written


def test_more_tokens_than_a_principal_may_have_are_not_written() -> None:
    tokens = tuple(Token(f"{number:064x}") for number in range(MAX_TOKENS + 1))
    with pytest.raises(DocumentInvalid):
        write_principal(replace(PARSED, tokens=tokens))
