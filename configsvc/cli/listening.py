"""The socket that the server listens on."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from configsvc.core.errors import SettingInvalid
from configsvc.settings import Address, Settings

MAX_UNSENT_BYTES = 128 << 10
"""Most bytes of answers that the kernel holds before they can be sent, for each connection."""


def listening_socket(settings: Settings) -> socket.socket:
    """Return a socket bound to `settings.listen`; it listens once the server does.

    Raises:
        SettingInvalid: The address is taken or unknown.
    """
    family, address = _resolve(settings.listen)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bound_unread(listener, settings.write_timeout_s)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SettingInvalid(f"listen: {settings.listen} cannot be listened on: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def is_reachable(listener: socket.socket) -> bool:
    """Return whether other machines may reach a bound socket."""
    host: str = listener.getsockname()[0]
    return not ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _bound_unread(listener: socket.socket, timeout_s: float) -> None:
    """Bound what the kernel holds for a client that does not read, and for how long.

    It would take megabytes for each, and to the server they are sent then.  What is accepted inherits both
    options (tcp(7): TCP_USER_TIMEOUT ends a connection whose client accepts nothing for so long).
    """
    options = {"TCP_USER_TIMEOUT": max(1, int(timeout_s * 1000)), "TCP_NOTSENT_LOWAT": MAX_UNSENT_BYTES}
    for name, value in options.items():
        option = getattr(socket, name, None)  # macOS has not both of them
        if option is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)


def _resolve(listen: Address) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingInvalid(f"listen: {listen.host} has no address: {error.strerror}") from error
    # A name with addresses of both kinds is served at the IPv4 one, which every client tries.
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return family, address
