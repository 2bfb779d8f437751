from __future__ import annotations

import pytest

from configsvc.core.changes import ANONYMOUS
from configsvc.core.patterns import parse_pattern
from configsvc.core.principals import (
    ANYONE,
    NEVER_S,
    Principal,
    Role,
    Token,
    format_time,
    parse_time,
    with_token,
)


def principal(*tokens: Token, **roles: str) -> Principal:
    granted = {"everything": "**", "payments": "payments/**", "api": "payments/api"}
    by_name = {str(role): role for role in Role}
    return Principal("x", tuple((parse_pattern(granted[at]), by_name[roles[at]]) for at in roles), tokens)


def test_the_highest_role_that_covers_a_path_counts() -> None:
    someone = principal(api="admin", payments="writer", everything="reader")
    assert someone.role_on("payments/api") is Role.ADMIN
    assert someone.role_on("payments/web") is Role.WRITER
    assert someone.role_on("payments/**") is Role.WRITER
    assert someone.role_on("nginx") is Role.READER
    assert someone.role_on("**") is Role.READER
    assert principal(payments="writer").role_on("nginx") is None


def test_an_admin_has_the_role_on_everything_and_a_token_that_has_not_expired() -> None:
    forever, past = Token("a" * 64), Token("b" * 64, expires=format_time(1000))
    assert principal(forever, everything="admin").is_admin(now_s=0)
    assert principal(past, everything="admin").is_admin(now_s=999)
    assert not principal(past, everything="admin").is_admin(now_s=1000)
    assert principal(past, forever, everything="admin").is_admin(now_s=1000)
    assert not principal(everything="admin").is_admin(now_s=0)
    assert not principal(forever, payments="admin", everything="writer").is_admin(now_s=0)


def test_times_are_written_in_utc_and_read_back() -> None:
    assert format_time(0) == "1970-01-01T00:00:00Z"
    assert parse_time(format_time(1_800_000_000)) == 1_800_000_000
    assert Token("a" * 64).ends_at_s == NEVER_S


def test_a_new_token_stands_beside_those_that_are_valid() -> None:
    old, gone, new = Token("a" * 64), Token("b" * 64, expires=format_time(10)), Token("c" * 64)
    assert with_token(principal(old, gone), new, now_s=10).tokens == (old, new)


@pytest.mark.parametrize(("email", "shown"), [("", "x@configsvc.invalid"), ("x@y.example", "x@y.example")])
def test_a_principal_is_the_author_of_its_changes(email: str, shown: str) -> None:
    assert str(Principal("x", email=email).author) == f"x <{shown}>"


def test_anyone_may_do_everything_and_is_anonymous() -> None:
    assert ANYONE.author == ANONYMOUS
    assert ANYONE.role_on("**") is Role.ADMIN
