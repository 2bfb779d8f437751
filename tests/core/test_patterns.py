from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configsvc.core.errors import PatternInvalid
from configsvc.core.patterns import PathPattern, parse_pattern, pattern_problem

SEGMENTS = st.sampled_from(["a", "b", "*"])
PATTERNS = st.builds(
    lambda parts, rest: "/".join([*parts, *(["**"] if rest or not parts else [])]),
    st.lists(SEGMENTS, max_size=4),
    st.booleans(),
)
SERVICES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path", "is_covered"),
    [
        ("payments/api", "payments/api", True),
        ("payments/api", "payments/api2", False),
        ("payments/api", "payments", False),
        ("payments/api", "payments/api/eu", False),
        ("payments/*", "payments/api", True),
        ("payments/*", "payments", False),
        ("payments/*", "payments/api/eu", False),
        ("payments/*", "payments-old/api", False),
        ("payments/**", "payments/api", True),
        ("payments/**", "payments/api/eu", True),
        ("payments/**", "payments", False),
        ("payments/**", "payments2/api", False),
        ("*/prod", "payments/prod", True),
        ("*/prod", "payments/api/prod", False),
        ("*/prod/**", "payments/prod/a/b", True),
        ("*", "nginx", True),
        ("*", "payments/api", False),
        ("**", "nginx", True),
        ("**", "a/b/c/d/e/f/g/h", True),
        ("**", "**", True),
        ("payments/**", "**", False),
        ("payments/**", "payments/**", True),
        ("payments/**", "payments/api/**", True),
        ("payments/api/**", "payments/**", False),
        ("payments/*", "payments/**", False),
        ("*/**", "payments/**", True),
        ("*/**", "**", False),
    ],
)
def test_a_pattern_covers_what_it_says(pattern: str, path: str, is_covered: bool) -> None:
    assert parse_pattern(pattern).covers(path) is is_covered


@pytest.mark.slow
@given(PATTERNS, PATTERNS, SERVICES)
def test_what_covers_a_scope_covers_every_service_in_it(outer: str, inner: str, service: str) -> None:
    if parse_pattern(outer).covers(inner) and parse_pattern(inner).covers(service):
        assert parse_pattern(outer).covers(service)


@pytest.mark.slow
@given(PATTERNS)
def test_a_pattern_is_what_its_text_says(text: str) -> None:
    assert str(parse_pattern(text)) == text
    assert parse_pattern(text).covers(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' (expected: a service name, in which * or a final ** may be segments)"),
        ("/", "expected: a service name"),
        ("a/", "expected: a service name"),
        ("/**", "expected: a service name"),
        ("../**", "expected: a service name"),
        ("Payments/**", "expected: a service name"),
        ("aux/**", "expected: a service name"),
        ("pay*", "expected: * as a whole segment, or ** as the last one"),
        ("a/***", "expected: * as a whole segment"),
        ("**/prod", "expected: ** as the last segment only"),
        ("**/**", "expected: ** as the last segment only"),
        ("a/" * 8 + "b", "9 segments (expected: <= 8)"),
        ("a" * 300, "300 characters (expected: <= 200)"),
        ("a\n", "'a\\n'"),
        ("\u202e", "'\\u202e'"),
    ],
)
def test_what_is_no_pattern_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(PatternInvalid) as refused:
        parse_pattern(text)
    assert message in refused.value.message
    assert refused.value.message.startswith("path pattern: ")


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_has_a_problem(text: str) -> None:
    problem = pattern_problem(text)
    assert problem is None or problem.isascii()


def test_matching_takes_as_many_steps_as_there_are_segments() -> None:
    pattern = PathPattern(("*",) * 7 + ("b",))
    began = time.thread_time()
    for _ in range(1000):
        assert not pattern.covers("a/" * 7 + "a")
    assert time.thread_time() - began < 1.0
