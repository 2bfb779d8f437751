from __future__ import annotations

import base64
import contextlib
import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configsvc.access.credentials import (
    MAX_HEADER_CHARS,
    is_own_token,
    is_token,
    make_token,
    parse_authorization,
    token_hash,
)
from configsvc.core.errors import Unauthorized

TOKEN = "cfg_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh-RJn6K"
"""The bytes 0 to 31; always the same, as names of tests have to be."""


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_a_token_can_be_told_by_its_form_and_its_checksum() -> None:
    assert len(make_token()) == len(TOKEN) == 52
    assert is_own_token(make_token())
    assert is_own_token(TOKEN)
    assert is_token(TOKEN)
    changed = TOKEN[:10] + ("A" if TOKEN[10] != "A" else "B") + TOKEN[11:]
    assert not is_own_token(changed)
    assert not is_own_token(TOKEN[:-1])
    assert not is_own_token(TOKEN + "A")
    assert not is_own_token("cfg_")
    assert not is_own_token("cfg_" + "\xe9" * 48)


def test_no_token_is_made_twice() -> None:
    assert len({make_token() for _ in range(1000)}) == 1000


def test_a_token_is_kept_as_the_hash_that_anybody_can_compute() -> None:
    assert token_hash(TOKEN) == hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        f"BEARER   {TOKEN}  ",
        basic(f":{TOKEN}"),
        basic(f"x-token:{TOKEN}"),
        basic(f"\u00fcser:{TOKEN}").replace("Basic", "basic"),
    ],
)
def test_a_header_carries_a_token(header: str) -> None:
    assert parse_authorization(header) == TOKEN


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Token {TOKEN}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f"Bearer\t{TOKEN}",
        f" Bearer {TOKEN}",
        f"Bearer {TOKEN}\n",
        f"Bearer {TOKEN}\x00",
        f"Bearer {TOKEN[:31]}",
        f"Bearer {'a' * 201}",
        f"Bearer {TOKEN}\u0661",
        "Basic",
        "Basic !!!",
        f"Basic {TOKEN}",
        basic(TOKEN),
        basic(f"{TOKEN}:"),
        basic(f"a:b:{TOKEN}"),
        "Basic " + base64.b64encode(b"\xff:" + TOKEN.encode()).decode(),
        basic(f":{TOKEN}") + "=",
        f"Bearer {'a' * MAX_HEADER_CHARS}",
        f"Digest username={TOKEN}",
    ],
)
def test_a_header_that_carries_none_is_refused_and_never_shown(header: str | None) -> None:
    with pytest.raises(Unauthorized) as refused:
        parse_authorization(header)
    assert TOKEN[4:20] not in refused.value.message


@given(st.text(max_size=200))
def test_no_header_does_anything_else(text: str) -> None:
    with contextlib.suppress(Unauthorized):
        assert is_token(parse_authorization(text))


def test_a_long_header_costs_nothing() -> None:
    began = time.thread_time()
    for header in ("Bearer " + " " * 60_000, "Bearer " + "a" * 60_000, "Basic " + "=" * 60_000):
        with pytest.raises(Unauthorized):
            parse_authorization(header)
    assert time.thread_time() - began < 1.0
