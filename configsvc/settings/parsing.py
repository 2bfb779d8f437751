"""What a setting may be: from text, or from what TOML has, to its value.

Each parser raises `ValueError` whose message is what it expected.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Args:
        host: Name or IP address; an IPv6 address has no brackets here.
        port: 0 to 65535; 0 lets the system choose.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_host(text: str) -> bool:
    """Return whether `text`, in lower case, is a host name or address as a URL writes it."""
    if not _HOST.fullmatch(text):
        return False
    return not text.startswith("[") or _is_ipv6(text[1:-1])


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def parse_path(raw: object) -> Path:
    """Return a path."""
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError("a path")
    return Path(raw)


def parse_address(raw: object) -> Address:
    """Return an address; a host name or IP address, and a port."""
    host, colon, port = raw.rpartition(":") if isinstance(raw, str) else ("", "", "")
    if not (colon and is_host(host.lower()) and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 1 << 16):
        raise ValueError("HOST:PORT, with an IPv6 address in brackets")
    return Address(host.strip("[]"), int(port))


def parse_hosts(raw: object) -> tuple[str, ...]:
    """Return host names in lower case, from a list or from text with commas."""
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    if not isinstance(raw, list | tuple):
        raise ValueError("a list of host names without ports")
    hosts = tuple(str(host).lower().removesuffix(".") for host in raw)
    if not all(is_host(host) for host in hosts):
        raise ValueError("host names without ports")
    return hosts


def parse_flag(raw: object) -> bool:
    """Return true or false."""
    known = {"true": True, "1": True, "false": False, "0": False}
    found = raw if isinstance(raw, bool) else known.get(raw.lower()) if isinstance(raw, str) else None
    if found is None:
        raise ValueError("true or false")
    return found


def one_of(*words: str) -> Callable[[object], str]:
    """Return a parser of one of `words`."""

    def parse(raw: object) -> str:
        if isinstance(raw, str) and raw.lower() in words:
            return raw.lower()
        raise ValueError("one of " + ", ".join(words))

    return parse


def integer(least: int, most: int) -> Callable[[object], int]:
    """Return a parser of integers from `least` to `most`."""

    def parse(raw: object) -> int:
        text = str(raw) if isinstance(raw, int | str) and not isinstance(raw, bool) else ""
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise ValueError(f"an integer from {least} to {most}")
        return int(text)

    return parse


def parse_networks(raw: object) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Return networks, from a list or from text with commas; an address is the network of itself."""
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    expected = "IP addresses, or networks such as 10.0.0.0/8"
    if not isinstance(raw, list | tuple) or not all(isinstance(each, str) for each in raw):
        raise ValueError(expected)
    try:
        return tuple(ipaddress.ip_network(each) for each in raw)
    except ValueError:
        raise ValueError(expected) from None


def rate(most: float) -> Callable[[object], float]:
    """Return a parser of requests a second, from 0 to `most`."""
    return _number("requests a second", 0, most)


def seconds(least: float, most: float) -> Callable[[object], float]:
    """Return a parser of seconds from `least` to `most`."""
    return _number("seconds", least, most)


def _number(unit: str, least: float, most: float) -> Callable[[object], float]:

    def parse(raw: object) -> float:
        found = math.nan
        if isinstance(raw, int | float | str) and not isinstance(raw, bool):
            with contextlib.suppress(ValueError):
                found = float(raw)
        if not least <= found <= most:
            raise ValueError(f"{unit} from {least:g} to {most:g}")
        return found

    return parse
