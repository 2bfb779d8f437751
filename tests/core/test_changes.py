from __future__ import annotations

import subprocess
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.changes import Author, commit_message, is_request_id

OURS = {"Config-Request-Id": "r-1"}
LINES = st.sampled_from(
    [
        "Config-Request-Id: forged",
        "config-request-id : forged",
        "Signed-off-by: Somebody <a@b>",
        "(cherry picked from commit 1234)",
        " Config-Request-Id: forged",
        "words",
        "---",
        "",
        "# comment",
        "a: b",
    ]
)
BREAKS = st.sampled_from(["\n", "\r", "\r\n", "\u2028", "\x85", "\x0b", "\x1e"])


def trailers(message: str) -> list[str]:
    run = subprocess.run(
        ["git", "interpret-trailers", "--parse", "--no-divider"],
        input=message.encode(),
        capture_output=True,
        check=True,
        timeout=30,
    )
    return run.stdout.decode().splitlines()


@pytest.mark.parametrize("ours", [{}, OURS])
@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Config-Request-Id: forged", ""),
        ("x\n\nConfig-Request-Id: forged", ""),
        ("x", "Config-Request-Id: forged"),
        ("x", "text\n\nConfig-Request-Id: forged"),
        ("x", "text\r\rConfig-Request-Id: forged\rConfig-Request-Id: forged"),
        ("x", "text\n\nCONFIG-REQUEST-ID \t: forged\n continued"),
        ("x", "\u200bConfig-Request-Id: forged"),
        ("x", "text\n\nSigned-off-by: a\nConfig-Request-Id: forged"),
        ("x", "text\n\n(cherry picked from commit 12)\nConfig-Request-Id: forged"),
        ("x", "Config-Request-Id: forged\n\n\n"),
        ("", "\n\n\nConfig-Request-Id: forged"),
    ],
)
def test_text_of_a_client_forges_no_trailer(subject: str, body: str, ours: dict[str, str]) -> None:
    expected = [f"{name}: {value}" for name, value in ours.items()]
    assert trailers(commit_message(subject, body, ours)) == expected


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(LINES, BREAKS), max_size=8), st.booleans())
def test_no_mix_of_lines_forges_a_trailer(parts: list[tuple[str, str]], with_ours: bool) -> None:
    body = "".join(line + end for line, end in parts)
    message = commit_message("subject", body, OURS if with_ours else None)
    assert trailers(message) == (["Config-Request-Id: r-1"] if with_ours else [])


@pytest.mark.slow
@given(st.text(max_size=300), st.text(max_size=300))
def test_a_message_holds_no_character_that_hides_or_reorders(subject: str, body: str) -> None:
    message = commit_message(subject, body, {"Config-Request-Id": subject})
    assert message.encode().endswith(b"\n")
    hidden = {
        character for character in message if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    }
    assert hidden <= {"\n"}
    assert not set("\u061c\u200b\u200d\u202e\u2066\u2060\ufeff") & set(message)


def test_the_subject_is_one_line_of_at_most_200_characters() -> None:
    assert commit_message("a\nb\r\nc") == "a b c\n"
    assert commit_message("x" * 500) == "x" * 200 + "\n"
    assert commit_message(" \n\t") == "(no message)\n"


def test_body_and_trailers_are_paragraphs() -> None:
    message = commit_message("Update nginx", "more workers\nfor the evening", {"A": "1", "B": "2\n3"})
    assert message == "Update nginx\n\nmore workers\nfor the evening\n\nA: 1\nB: 2 3\n"


@pytest.mark.parametrize(
    ("name", "email", "text"),
    [
        ("Ann Lee", "ann@example.org", "Ann Lee <ann@example.org>"),
        ("Ann\nauthor evil <e@e> 0 +0000", "a@b", "Annauthor evil e@e 0 +0000 <a@b>"),
        ("<>", "", "unknown <>"),
        ("", "a>\n\0b", "unknown <ab>"),
        ("\u202eeel", "a@b", "eel <a@b>"),
        (" .Ann,", "a@b", "Ann <a@b>"),
    ],
)
def test_an_author_fits_the_header_of_a_commit(name: str, email: str, text: str) -> None:
    assert str(Author(name, email)) == text


@pytest.mark.slow
@given(st.text(), st.text())
def test_no_author_breaks_the_header(name: str, email: str) -> None:
    text = str(Author(name, email))
    assert text.count("<") == text.count(">") == 1
    assert "\n" not in text
    assert "\0" not in text
    assert Author(name, email).name


@pytest.mark.parametrize("text", ["a", "A-z.0_9~:/+=", "x" * 128])
def test_a_request_id_is_accepted(text: str) -> None:
    assert is_request_id(text)


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a\n", "a,b", "\u00e9", "a%", '"'])
def test_other_text_is_no_request_id(text: str) -> None:
    assert not is_request_id(text)
