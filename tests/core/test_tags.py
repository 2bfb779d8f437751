from __future__ import annotations

import pytest

from configsvc.core.errors import PreconditionFailed, RequestInvalid
from configsvc.core.tags import (
    ALWAYS,
    DocumentTag,
    Precondition,
    document_tag,
    parse_precondition,
    split_tags,
)

BLOB = "0123456789abcdef0123456789abcdef01234567"
CURRENT = DocumentTag(3, BLOB[:16])


def holds(condition: Precondition, current: DocumentTag | None) -> bool:
    try:
        condition.check("nginx", current)
    except PreconditionFailed:
        return False
    return True


@pytest.mark.parametrize("representation", ["json", "yaml", "seed"])
def test_the_tag_of_any_representation_matches(representation: str) -> None:
    condition = parse_precondition(document_tag(3, BLOB, representation), None)
    assert holds(condition, CURRENT)
    assert not holds(condition, DocumentTag(4, BLOB[:16]))
    assert not holds(condition, DocumentTag(3, "f" * 16))
    assert not holds(condition, None)


def test_without_headers_everything_is_allowed() -> None:
    assert parse_precondition(None, None) == ALWAYS
    assert holds(ALWAYS, CURRENT)
    assert holds(ALWAYS, None)


def test_one_tag_of_a_list_is_enough() -> None:
    header = f'"x", {document_tag(1, BLOB, "json")} ,{document_tag(3, BLOB, "yaml")}'
    assert holds(parse_precondition(header, None), CURRENT)


@pytest.mark.parametrize(
    "header",
    [
        'W/"3-0123456789abcdef-json"',
        '"3-0123456789abcdef"',
        '"03-0123456789abcdef-json"',
        '"3-0123456789ABCDEF-json"',
        '"3-0123456789abcdef-json;p=/a"',
        '"99999999999-0123456789abcdef-json"',
        '"\u0663-0123456789abcdef-json"'.encode().decode("latin-1"),
        '""',
    ],
)
def test_a_weak_or_foreign_tag_matches_nothing(header: str) -> None:
    assert not holds(parse_precondition(header, None), CURRENT)
    assert not holds(parse_precondition(header, None), None)


def test_star_asks_for_existence() -> None:
    assert holds(parse_precondition(" * ", None), CURRENT)
    assert not holds(parse_precondition("*", None), None)
    assert holds(parse_precondition(None, "*"), None)
    assert not holds(parse_precondition(None, "*"), CURRENT)


def test_a_failure_tells_the_current_version_and_the_expected_one() -> None:
    condition = parse_precondition(document_tag(1, BLOB, "json"), None)
    with pytest.raises(
        PreconditionFailed, match=r"nginx: is at version 3 \(If-Match expected version 1\)"
    ) as failed:
        condition.check("nginx", CURRENT)
    assert failed.value.details == ({"version": 3},)


@pytest.mark.parametrize("header", ["", " ", "x", '"x" "y"', '"x', "W/*", '*, "x"', '"x"y'])
def test_a_malformed_list_is_refused(header: str) -> None:
    with pytest.raises(RequestInvalid, match="entity tag"):
        parse_precondition(header, None)


@pytest.mark.parametrize("header", ['"x"', "", 'W/"x"'])
def test_if_none_match_on_a_write_takes_only_a_star(header: str) -> None:
    with pytest.raises(RequestInvalid, match="If-None-Match"):
        parse_precondition(None, header)


def test_a_list_is_split_into_weak_and_strong_tags() -> None:
    assert split_tags('"a,b", W/"c"') == [(False, "a,b"), (True, "c")]
