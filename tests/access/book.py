"""Principals in a store in memory, to be changed and asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from configsvc.access.credentials import token_hash
from configsvc.access.decide import Access
from configsvc.core.changes import ANONYMOUS, Plan
from configsvc.core.names import principal_path
from configsvc.core.patterns import parse_pattern
from configsvc.core.principals import ROLES, Principal, Token
from configsvc.documents.principals import write_principal
from configsvc.store.base import Write
from configsvc.store.memory import MemoryStore


def token_of(name: str) -> str:
    """Return the token that `Book.add` gives a principal."""
    return f"token-of-{name}".ljust(40, "-")


def bearer(name: str) -> str:
    return f"Bearer {token_of(name)}"


@dataclass
class Book:
    """A store with principals, its clock, and what decides by them."""

    store: MemoryStore = field(default_factory=MemoryStore)
    now_s: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.access = Access(self.store.snapshot, now=lambda: self.now_s)

    def add(self, name: str, *, expires: str = "", user: str = "", **roles: str) -> Principal:
        """Add or replace a principal; roles by pattern, with `__` for `/` and `all` for `**`."""
        patterns = {key.replace("__", "/").replace("all", "**"): role for key, role in roles.items()}
        principal = Principal(
            name,
            tuple((parse_pattern(pattern), ROLES[role]) for pattern, role in patterns.items()),
            (Token(token_hash(token_of(name)), expires=expires),),
            unix_user=user,
        )
        self.put(principal_path(name), write_principal(principal))
        return principal

    def put(self, path: str, data: bytes | None) -> None:
        """Commit one file, past the gate."""
        self.store.submit(Write(lambda view: Plan({path: data}, "x"), ANONYMOUS)).result()

    def remove(self, name: str) -> None:
        self.put(principal_path(name), None)
