"""What a request says outside its body, read strictly: query and headers."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from werkzeug.datastructures import Headers

from configsvc.core.errors import RequestInvalid

MAX_PARAMETERS = 16
MAX_MESSAGE_CHARS = 4096

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
MAX_INTEGER = 9_999_999_999
"""Largest version, revision or count that a request may name."""


class Query:
    """The parameters of one request.

    Args:
        raw: Query string as sent.
        allowed: Names this request may give; any other one is refused, since a
            misspelt parameter would be obeyed by half.

        many: Those of them that may be given more than once.

    Raises:
        RequestInvalid: Malformed, repeated or unknown parameters.
    """

    def __init__(self, raw: bytes, allowed: tuple[str, ...], many: tuple[str, ...] = ()) -> None:
        self._many: dict[str, list[str]] = {}
        self._values: dict[str, str] = {}
        for name, value in _parse(raw):
            if name not in allowed:
                raise RequestInvalid(
                    f"parameter: {name[:40]!a} is not known here (expected: {', '.join(allowed)})"
                )
            if name in many:
                self._many.setdefault(name, []).append(value)
                continue
            if name in self._values:
                raise RequestInvalid(f"parameter: {name} is given twice (expected: once)")
            self._values[name] = value

    def find(self, name: str) -> str | None:
        """Return the value of `name`, None when it was not given."""
        return self._values.get(name)

    def find_all(self, name: str) -> list[str]:
        """Return the values of one of `many`, as they were sent."""
        return self._many.get(name, [])

    def service(self) -> str:
        """Return the parameter `service`, which must be given."""
        found = self.find("service")
        if found is None:
            raise RequestInvalid("service: is missing (expected: ?service=NAME)")
        return found

    def version(self) -> int | None:
        """Return the parameter `version`, None when it was not given."""
        return self.integer("version")

    def enabled(self) -> bool | None:
        """Return the parameter `enabled`, None when it was not given."""
        return self.flag("enabled")

    def integer(self, name: str, least: int = 0, most: int = MAX_INTEGER) -> int | None:
        """Return an integer from `least` to `most`, None when it was not given."""
        text = self.find(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
            limits = f"from {least}" if most == MAX_INTEGER else f"from {least} to {most}"
            raise RequestInvalid(f"{name}: {text[:40]!a} (expected: an integer {limits})")
        return int(text)

    def flag(self, name: str) -> bool | None:
        """Return a flag, None when it was not given."""
        text = self.find(name)
        if text not in (None, "true", "false"):
            raise RequestInvalid(f"{name}: {text[:40]!a} (expected: true or false)")
        return None if text is None else text == "true"


def write_message(query: Query, headers: Headers) -> str:
    """Return the commit message a write asks for, empty when it asks for none.

    It comes from the header `Config-Message`, in UTF-8, or from `?message=`.

    Raises:
        RequestInvalid: Both are given, or the text is too long or not UTF-8.
    """
    header, parameter = headers.get("Config-Message"), query.find("message")
    if header is not None and parameter is not None:
        raise RequestInvalid("message: is given as header and as parameter (expected: one of them)")
    text = parameter or ""
    if header is not None:
        try:
            text = header.encode("latin-1").decode("utf-8")  # WSGI hands on bytes as latin-1 (PEP 3333)
        except UnicodeError:
            raise RequestInvalid("Config-Message: is not UTF-8") from None
    if len(text) > MAX_MESSAGE_CHARS:
        raise RequestInvalid(f"message: {len(text)} characters (expected: <= {MAX_MESSAGE_CHARS})")
    return text


def _parse(raw: bytes) -> list[tuple[str, str]]:
    if not raw:
        return []
    bad = _BAD_ESCAPE.search(raw)
    if bad:
        raise RequestInvalid(f"query: has '%' without two hexadecimal digits at byte {bad.start()}")
    try:
        return parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        raise RequestInvalid(
            f"query: is malformed (expected: at most {MAX_PARAMETERS} of name=value in UTF-8, joined by '&')"
        ) from None
