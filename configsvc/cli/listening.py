"""The socket that the server listens on."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from configsvc.core.errors import SettingInvalid
from configsvc.settings import Address, Settings


def listening_socket(settings: Settings) -> socket.socket:
    """Return a socket bound to `settings.listen`; it listens once the server does.

    Raises:
        SettingInvalid: The address is taken, unknown, or reachable from other
            machines without `settings.open`.
    """
    family, address = _resolve(settings.listen)
    if not (settings.open or ipaddress.ip_address(address[0].partition("%")[0]).is_loopback):
        raise SettingInvalid(
            f"listen: {settings.listen} is reachable from other machines, and there is no access control "
            "(expected: a loopback address, or --open to let everyone read and write)"
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SettingInvalid(f"listen: {settings.listen} cannot be listened on: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _resolve(listen: Address) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingInvalid(f"listen: {listen.host} has no address: {error.strerror}") from error
    # A name with addresses of both kinds is served at the IPv4 one, which every client tries.
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return family, address
