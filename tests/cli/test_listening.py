from __future__ import annotations

import socket
import sys

import pytest

from configsvc.cli.listening import MAX_UNSENT_BYTES, listening_socket
from configsvc.settings import Address, Settings

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these options")


@linux
def test_what_the_kernel_holds_for_a_client_that_does_not_read_is_bounded() -> None:
    settings = Settings(listen=Address("127.0.0.1", 0), write_timeout_s=7.5)
    with listening_socket(settings) as listener:
        listener.listen()
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname(), timeout=20):
            accepted, _ = listener.accept()
    with accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7500
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == MAX_UNSENT_BYTES
