"""How many requests a client may make: token buckets by address and by principal.

A bucket holds tokens for `burst_s` seconds, is full at first, and fills at the rate; each request
takes one.  It is kept as the one moment at which it will be full again (the generic cell rate
algorithm, ITU-T I.371), so a client that comes rarely costs nothing: its bucket is as good as absent.
"""

from __future__ import annotations

import functools
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from configsvc.access.decide import Access
from configsvc.access.remembered import RememberedAdmissions
from configsvc.core.errors import RateExceeded

MAX_BUCKETS = 1 << 16
"""Clients that are told apart; who was not heard of for longest is forgotten, and begins anew."""
IPV6_PREFIX = 64
"""Bits of an IPv6 address that tell clients apart: of the rest, each has as many as it likes."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Buckets:
    """One bucket a key.  Thread-safe.

    Args:
        per_s: Tokens a second, > 0.
        burst_s: Seconds whose tokens fill a bucket, > 0; it holds one at the least.
        now: A clock that only runs forward, in seconds.
    """

    def __init__(
        self,
        per_s: float,
        burst_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        most: int = MAX_BUCKETS,
    ) -> None:
        self.per_s = per_s
        self._interval_s = 1.0 / per_s
        self._capacity_s = max(burst_s, self._interval_s)
        self._now = now
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()  # guards the line above

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str) -> float:
        """Take a token and return 0.0; with none there, return in how many seconds there is one."""
        with self._lock:
            now = self._now()
            full_at = self._full_at.setdefault(key, now)
            self._full_at.move_to_end(key)
            if len(self._full_at) > self._most:
                self._full_at.popitem(last=False)
            full_at = max(full_at, now) + self._interval_s
            # A billionth: sums of intervals must not fall short of the capacity they add up to.
            wait_s = full_at - now - self._capacity_s
            if wait_s > 1e-9:
                return wait_s
            self._full_at[key] = full_at
            return 0.0

    def check(self, key: str, message: str) -> None:
        """Take a token.

        Raises:
            RateExceeded: There is none; it says `message`, and when there will be one.
        """
        wait_s = self.take(key)
        if wait_s:
            error = RateExceeded(message)
            error.retry_after_s = math.ceil(wait_s)
            raise error


class RateLimits:
    """Counts requests, and refuses those beyond the rates.  Thread-safe.

    Args:
        per_address: Requests a second of one address; 0 for no limit.
        per_principal: The same of one principal; where there are none, nothing is counted.
        burst_s: See `Buckets`.
        proxies: Networks whose word about the client's address is taken.
    """

    def __init__(
        self,
        access: Access,
        *,
        per_address: float = 0.0,
        per_principal: float = 0.0,
        burst_s: float = 10.0,
        proxies: Sequence[Network] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proxies = tuple(proxies)
        self._by_address = Buckets(per_address, burst_s, now=now) if per_address else None
        self._by_principal = Buckets(per_principal, burst_s, now=now) if per_principal else None
        self._admissions = RememberedAdmissions(access)

    @property
    def is_limiting(self) -> bool:
        """Whether anything may be refused."""
        return self._by_address is not None or self._by_principal is not None

    def client_of(self, peer: str, forwarded: str) -> str:
        """Return the address of the client: the last one that no trusted proxy has.

        Args:
            peer: Address that the connection comes from.
            forwarded: `X-Forwarded-For`; what a client made up stands left of what the proxy added.
        """
        if not forwarded or not self._is_proxy(peer):
            return peer
        client = peer
        for hop in reversed(forwarded.split(",")):
            found = _bare(hop.strip())
            if _parsed(found) is None:
                break  # whoever wrote that, it is nobody's address
            client = found
            if not self._is_proxy(client):
                break
        return client

    def check(self, address: str, authorization: bytes | str | None) -> None:
        """Count a request.

        Args:
            address: Of the client.
            authorization: The header of that name; None without one.

        Raises:
            RateExceeded: It is one too many, and is not counted.
        """
        if self._by_address is not None:
            self._take(self._by_address, client_group(address), "address")
        if self._by_principal is not None:
            principal = self._principal(authorization)
            if principal:
                self._take(self._by_principal, principal, "principal")

    def admits(self, address: str, authorization: bytes | None) -> bool:
        """Return whether `check` takes a request, and count it if so."""
        try:
            self.check(address, authorization)
        except RateExceeded:
            return False
        return True

    def _take(self, buckets: Buckets, key: str, kind: str) -> None:
        buckets.check(
            key, f"requests: more than {buckets.per_s:g} a second by one {kind} (expected: fewer; try again)"
        )

    def _principal(self, authorization: bytes | str | None) -> str:
        """Return the name of who asks; empty for nobody, who is told elsewhere, and where there are none."""
        admission = self._admissions.find(authorization)
        return "" if admission is None or not admission.token_sha256 else admission.principal.name

    def _is_proxy(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._proxies)


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address


@functools.lru_cache(maxsize=4096)
def client_group(address: str) -> str:
    """Return what stands for all addresses of one client; empty for what is no address."""
    parsed = _parsed(address)
    if parsed is None:
        return ""  # a Unix socket, say: one client
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def _bare(hop: str) -> str:
    """Return a hop without port and brackets."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
