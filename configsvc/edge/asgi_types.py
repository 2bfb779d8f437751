"""The shapes of ASGI (https://asgi.readthedocs.io/en/latest/specs/www.html), as far as they are used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]


def raw_headers(headers: Iterable[tuple[str, str]]) -> RawHeaders:
    """Return text headers as ASGI has them: lower-case names, latin-1 bytes."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return headers as HTTP/1.1 sends them, each line with its end."""
    return b"".join(b"%s: %s\r\n" % pair for pair in headers)


def sent_value(scope: Scope, name: bytes) -> str | None:
    """Return a header of a request as the application sees it: several are one, with commas between them.

    Args:
        name: In lower case.
    """
    sent = [value.decode("latin-1") for each, value in scope["headers"] if each == name]
    return ",".join(sent) if sent else None


def client_address(scope: Scope) -> str:
    """Return the address that a request comes from; empty when it is not known."""
    address: str = (scope.get("client") or ("",))[0]
    return address
