"""The protocol by which commands reach configuration, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from configsvc.client import (
    Committed,
    ConfigItem,
    Deleted,
    Diff,
    Document,
    DocumentText,
    DryRun,
    MetaWritten,
    Verdict,
    VersionMade,
    Written,
)

Format = Literal["json", "yaml"]


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to put.

    Args:
        size: Of the text in UTF-8, in bytes.
    """

    service: str
    text: str
    format: Format

    @property
    def size(self) -> int:
        return len(self.text.encode())


@dataclass(frozen=True, slots=True)
class Change:
    """What one revision changed, of what is watched."""

    revision: int
    commit_id: str
    services: tuple[VersionMade, ...]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit of main.

    Args:
        committed_at: RFC 3339, UTC.
        author: `Name <address>`, as are the other people.
        committer: Empty where the server does not tell.
        is_vouched: Whether the service wrote these names; see `configsvc log --help`.
    """

    revision: int
    commit_id: str
    committed_at: str
    author: str
    message: str
    committer: str = ""
    is_vouched: bool = True


@dataclass(frozen=True, slots=True)
class LogAsk:
    """Which commits of main are wanted.

    Args:
        principal: Name or address of who made them; empty for anyone.
        since_s: Seconds since the epoch of the earliest; None for no such bound.
        service: Only what touched it; empty for all.
        limit: At most so many.
    """

    principal: str = ""
    since_s: float | None = None
    service: str = ""
    limit: int = 100


class Target(Protocol):
    """Configuration on a server, or in a repository on this machine.

    All calls raise `ConfigError`: the same class, and so the same exit code, for the same cause.
    """

    @property
    def place(self) -> str:
        """Where it is, to be told to people."""

    def list_all(self, prefix: str = "") -> Iterator[ConfigItem]:
        """Yield the services whose names start with `prefix`, in the order of their names."""

    def get(
        self, service: str, *, version: int | None = None, at: str | None = None, pointer: str | None = None
    ) -> Document | None:
        """Return a document's value, or the one value in it that `pointer` names."""

    def get_text(
        self,
        service: str,
        *,
        version: int | None = None,
        at: str | None = None,
        format: Format | None = None,  # noqa: A002 - as the client has it
    ) -> DocumentText:
        """Return a document as text, as it is stored or in `format`."""

    def put(
        self,
        service: str,
        *,
        text: str,
        text_format: Format = "yaml",
        if_match: str | None = None,
        create_only: bool = False,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Written | DryRun:
        """Create or replace a document."""

    def put_many(
        self, documents: Sequence[NewDocument], *, message: str | None = None, dry_run: bool = False
    ) -> Committed | DryRun:
        """Create or replace documents in one commit, all or none."""

    def patch(
        self,
        service: str,
        changes: Mapping[str, object] | Sequence[Mapping[str, object]],
        *,
        if_match: str | None = None,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Written | DryRun:
        """Change part of a document: a mapping is a merge patch, a list the operations of a JSON Patch."""

    def delete(
        self, service: str, *, if_match: str | None = None, message: str | None = None, dry_run: bool = False
    ) -> Deleted | DryRun:
        """Delete a service that is disabled."""

    def rollback(
        self,
        service: str,
        version: int,
        *,
        if_match: str | None = None,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Written | DryRun:
        """Make an old version the newest again, as a new version."""

    def set_enabled(
        self, service: str, enabled: bool, *, message: str | None = None, dry_run: bool = False
    ) -> MetaWritten | DryRun:
        """Enable or disable a service."""

    def diff(self, service: str, *, start: int | None = None, end: int | None = None) -> Diff:
        """Return the text of a difference; by default that which the newest version made."""

    def diff_operations(self, service: str, *, start: int | None = None, end: int | None = None) -> Diff:
        """Return the same as the operations of a JSON Patch."""

    def log(self, ask: LogAsk) -> list[LogEntry]:
        """Return commits of main, newest first."""

    def validate(self, service: str, *, text: str, text_format: Format = "yaml") -> Verdict:
        """Return what the gate would say of a document."""

    def head(self) -> int:
        """Return the newest revision."""

    def watch(
        self, services: Sequence[str] = (), *, prefix: str | None = None, since: int | None = None
    ) -> Iterator[Change]:
        """Yield each revision that changes what is watched, in order, without end.

        Args:
            services: By name; with none of them and no prefix, all are watched.
            since: Last revision that is known; None for the newest.

        Raises:
            ConfigError: It cannot go on, whatever is tried again.
        """

    def let_go(self) -> None:
        """Hold nothing that others may wait for, until the next call."""

    def close(self) -> None:
        """Let go of connections, processes and locks."""
