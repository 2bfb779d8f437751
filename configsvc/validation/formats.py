"""The values of `format` that are checked; any other says nothing about a value, as the standard has it.

Each check takes time in proportion to the text.  `regex` alone does not, so
schemas that use it are judged by the workers.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from jsonschema import FormatChecker

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?[0-9]{0,3}(?:[zZ]|[-+][0-9]{2}:[0-9]{2})"
_TIME = re.compile(_CLOCK, re.ASCII)
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[tT]" + _CLOCK, re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*", re.ASCII)
_NOT_IN_URI = frozenset('"<>\\^`{|}')
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and bool(dt.date.fromisoformat(text))


def _is_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None and _is_clock(text)


def _is_date_time(text: str) -> bool:
    return _DATE_TIME.fullmatch(text) is not None and _is_date(text[:10]) and _is_clock(text[11:])


def _is_clock(text: str) -> bool:
    # RFC 3339 knows leap seconds; the standard library does not.
    return bool(dt.time.fromisoformat(text.upper().replace(":60", ":59", 1)).tzinfo)


def _is_hostname(text: str) -> bool:
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))


def _is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def _is_uri(text: str) -> bool:
    if _URI.fullmatch(text) is None or not _NOT_IN_URI.isdisjoint(text):
        return False
    return bool(urlsplit(text).scheme)


def _is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None and bool(uuid.UUID(text).hex)


def _is_ipv4(text: str) -> bool:
    return bool(ipaddress.IPv4Address(text).exploded)


def _is_ipv6(text: str) -> bool:
    return "%" not in text and bool(ipaddress.IPv6Address(text).exploded)


def _is_regex(text: str) -> bool:
    return bool(re.compile(text))


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "date": _is_date,
    "date-time": _is_date_time,
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "regex": _is_regex,
    "time": _is_time,
    "uri": _is_uri,
    "uuid": _is_uuid,
}
"""What is checked, by the name of the format."""


def _checker(checks: Mapping[str, Callable[[str], bool]]) -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, check in checks.items():
        # OverflowError and RecursionError: re.compile of repeats too large, or nested too deep.
        checker.checks(name, raises=(ValueError, re.error, OverflowError, RecursionError))(_for_text(check))
    return checker


def _for_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


FORMATS = _checker(CHECKS)
"""Judges the keyword `format`."""
