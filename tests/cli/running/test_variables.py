"""A document as environment variables."""

from __future__ import annotations

import subprocess

import pytest

from configsvc.cli.running.variables import MAX_STRING_BYTES, as_file, check_size, variables
from configsvc.core.errors import RequestInvalid


def test_keys_are_flattened_and_values_are_text() -> None:
    value = {
        "timeout_s": 10,
        "limits": {"cpu": 1.5, "deep": {"er": True}},
        "log-level.x": "in fo",
        "none": None,
        "hosts": ["a", {"b": 1}],
        "empty": {},
        "é": "ü",
    }
    assert variables(value, "APP_") == {
        "APP_TIMEOUT_S": "10",
        "APP_LIMITS_CPU": "1.5",
        "APP_LIMITS_DEEP_ER": "true",
        "APP_LOG_LEVEL_X": "in fo",
        "APP_NONE": "",
        "APP_HOSTS": '["a",{"b":1}]',
        "APP_EMPTY": "{}",
        "APP__": "ü",
    }


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a_b": 1, "a": {"b": 2}}, r"'a\.b' and 'a_b' are both A_B"),
        ({"a-b": 1, "A.b": 2}, "both A_B"),
        ({"1a": 1}, "expected: --prefix"),
        ({"": 1}, "expected: --prefix"),
        ({"a": "x\0y"}, "NUL"),
    ],
)
def test_what_is_no_variable_is_refused_without_its_value(value: dict[str, object], told: str) -> None:
    with pytest.raises(RequestInvalid, match=told):
        variables(value, "")


@pytest.mark.parametrize("text", ["plain", "it's", '$(id) `id` \\ "x"', "two\nlines", ""])
def test_a_shell_reads_the_file_back(text: str) -> None:
    script = as_file({"A": text}) + 'printf %s "$A"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == text


def test_what_the_system_lets_a_program_have_is_known() -> None:
    def start(size: int) -> None:
        environ = {b"A": b"x" * (size - len("A="))}
        check_size(["true"], environ)
        subprocess.run(["true"], env=environ, check=True)

    start(MAX_STRING_BYTES)
    with pytest.raises(RequestInvalid, match=r"A has \d+ bytes"):
        start(MAX_STRING_BYTES + 1)


def test_variables_that_are_too_much_together_are_refused() -> None:
    with pytest.raises(RequestInvalid, match="--file has room for more"):
        check_size(["true"], {str(number).encode(): b"x" * 100_000 for number in range(70)})
