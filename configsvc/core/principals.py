"""Principals: who acts, and in which role on which paths."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum

from configsvc.core.changes import ANONYMOUS, Author
from configsvc.core.patterns import EVERYTHING, PathPattern

NEVER_S = math.inf
"""When a token ends that has no expiry."""


class Role(IntEnum):
    """What a principal may do; each includes those before it."""

    READER = 1
    WRITER = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()


ROLES = {str(role): role for role in Role}


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token.

    Args:
        sha256: 64 hex digits: the hash of its text.
        created: RFC 3339 in UTC; empty when it was not noted.
        expires: RFC 3339 in UTC, the first moment at which it is refused; empty for never.
    """

    sha256: str
    created: str = ""
    expires: str = ""

    @property
    def ends_at_s(self) -> float:
        """When it is first refused, seconds since the epoch; `NEVER_S` without an expiry."""
        return parse_time(self.expires) if self.expires else NEVER_S


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, and on which paths in which role.

    Args:
        roles: In the order of the file; the highest that covers a path counts.
        unix_user: Who, on the server's machine, acts as this principal.
    """

    name: str
    roles: tuple[tuple[PathPattern, Role], ...] = ()
    tokens: tuple[Token, ...] = ()
    description: str = ""
    email: str = ""
    unix_user: str = ""

    @property
    def author(self) -> Author:
        """Who git's history says made the changes of this one."""
        if self.name == ANONYMOUS.name:
            return ANONYMOUS
        return Author(self.name, self.email or f"{self.name}@configsvc.invalid")

    def role_on(self, scope: str) -> Role | None:
        """Return the role on all of `scope`, a service or a pattern; None without one."""
        return max((role for pattern, role in self.roles if pattern.covers(scope)), default=None)

    def is_admin(self, *, now_s: float) -> bool:
        """Return whether this one can sign in and administer everything."""
        return self.role_on(EVERYTHING) is Role.ADMIN and any(
            token.ends_at_s > now_s for token in self.tokens
        )


def with_token(principal: Principal, token: Token, *, now_s: float) -> Principal:
    """Return `principal` with one more token, and without those that have expired."""
    kept = tuple(each for each in principal.tokens if each.ends_at_s > now_s)
    return replace(principal, tokens=(*kept, token))


def format_time(moment_s: float) -> str:
    """Return a moment, seconds since the epoch, as these files write it."""
    return datetime.fromtimestamp(int(moment_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float:
    """Return a moment that these files write, seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


ANYONE = Principal(ANONYMOUS.name, ((PathPattern((EVERYTHING,)), Role.ADMIN),))
"""Who acts where there are no principals."""
