"""Which request heads are taken: one rule of framing, and one meaning of the target.

The parser is strict already.  What it lets through, and what a proxy in front
might read otherwise than we do, is refused here (RFC 9112, sections 3 and 6).
"""

from __future__ import annotations

from configsvc.api.problems import http_problem
from configsvc.edge.asgi_types import RawHeaders
from configsvc.edge.refusals import Refused


def check_head(method: str, target: bytes, version: str, headers: RawHeaders) -> None:
    """Raise `Refused` unless the head of a request is one we take.

    Args:
        target: Request target as sent.
        version: `1.1` or what else the request line says.
        headers: Lower-case names.
    """
    if version not in ("1.0", "1.1"):
        raise Refused(http_problem(505, f"HTTP version: {version} (expected: 1.1 or 1.0)"))
    hosts: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding" and (value.lower() != b"chunked" or version == "1.0"):
            raise Refused(http_problem(400, "Transfer-Encoding: only chunked is taken, and only in HTTP/1.1"))
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise Refused(http_problem(400, f"Host: {len(hosts)} of them (expected: one)"))
    if not target.startswith(b"/") or b"#" in target:
        _check_odd_target(method, target, hosts)


def _check_odd_target(method: str, target: bytes, hosts: list[bytes]) -> None:
    """Take `*` with OPTIONS, and the absolute form when it names the same host as the header."""
    scheme, _, rest = target.partition(b"://")
    authority = rest.partition(b"/")[0]
    if method == "OPTIONS" and target == b"*":
        return
    is_same_host = hosts and authority.lower() == hosts[0].lower()
    if scheme.lower() not in (b"http", b"https") or not is_same_host or b"#" in target:
        raise Refused(http_problem(400, "request target: is not a path on the host that Host names"))
