"""What the service and its workers say to each other: frames of a length and as many bytes."""

from __future__ import annotations

import socket
import struct
import time

_HEAD = struct.Struct(">Q")
_CHUNK_BYTES = 1 << 16


def send_frame(connection: socket.socket, data: bytes, *, deadline_s: float | None = None) -> None:
    """Send one frame.

    Args:
        deadline_s: On the monotonic clock; None waits for ever.

    Raises:
        TimeoutError: It was not taken in time.
    """
    connection.settimeout(_left(deadline_s))
    connection.sendall(_HEAD.pack(len(data)) + data)


def receive_frame(connection: socket.socket, *, deadline_s: float | None = None) -> bytes:
    """Return the next frame.

    Raises:
        TimeoutError: It did not come in time.
        EOFError: The other side is gone.
    """
    (size,) = _HEAD.unpack(_receive(connection, _HEAD.size, deadline_s))
    return _receive(connection, size, deadline_s)


def _receive(connection: socket.socket, size: int, deadline_s: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        connection.settimeout(_left(deadline_s))
        chunk = connection.recv(min(size - len(data), _CHUNK_BYTES))
        if not chunk:
            raise EOFError("the other side is gone")
        data += chunk
    return bytes(data)


def _left(deadline_s: float | None) -> float | None:
    if deadline_s is None:
        return None
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
