"""Which `Host` a request may name.

Without this a web page whose name was bound to this machine's address (DNS
rebinding) would be of the same origin as this service, and read and write it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from configsvc.api.problems import Problem, http_problem
from configsvc.settings import is_host

_HOST_AND_PORT = re.compile(r"([^:\[\]]+|\[[^\[\]]+\])(?::[0-9]{0,5})?")


def find_host_problem(header: str | None, allowed: Collection[str] | None) -> Problem | None:
    """Return why a request is refused by its Host header, None when it is not.

    Args:
        header: Host as sent; None when there was none.
        allowed: Hosts in lower case, without ports; None for any.
    """
    if header is None:
        return http_problem(400, "Host: is missing")
    match = _HOST_AND_PORT.fullmatch(header)
    host = match[1].lower().removesuffix(".") if match else ""
    if not is_host(host):
        return http_problem(400, f"Host: {header[:80]!a} (expected: a host name and an optional port)")
    if allowed is not None and host not in allowed:
        return http_problem(
            421, f"Host: {host!r} is not known here (the server's --host-name makes it known)"
        )
    return None
