"""What the calls return: frozen values, one class per kind of answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """A service's document, or the one value of it that was asked for.

    Args:
        value: What the document says, as plain JSON data.
        version: Number of the version that was read.
        revision: The repository's, at the time of the answer.
        etag: Condition for a write (`if_match`) or the next read (`if_none_match`).
    """

    service: str
    value: object
    version: int
    revision: int
    etag: str


@dataclass(frozen=True, slots=True)
class DocumentText:
    """A service's document as text.

    Args:
        format: `json` or `yaml`.
    """

    service: str
    text: str
    format: str
    version: int
    revision: int
    etag: str


@dataclass(frozen=True, slots=True)
class ConfigItem:
    """A service in a list."""

    service: str
    version: int
    revision: int
    etag: str
    format: str
    enabled: bool
    changed_at: str
    author: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a service; `etag` and `format` are None for the mark of a deletion."""

    service: str
    version: int
    revision: int
    commit_id: str
    author: str
    committed_at: str
    message: str
    deleted: bool
    format: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceVersion:
    """A version that a commit made, or would make."""

    service: str
    version: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class VersionMade:
    """The same, with its tag (None for a deletion)."""

    service: str
    version: int
    etag: str | None
    deleted: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the repository and the versions that it made."""

    revision: int
    commit_id: str
    author: str
    committed_at: str
    message: str
    services: tuple[ServiceVersion, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list as of one revision; `next_cursor` is None at the end."""

    revision: int
    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """A write that landed; `changed` is false when all was so already."""

    service: str
    version: int
    revision: int
    commit_id: str
    etag: str
    format: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deletion that landed; `version` is the number of its mark."""

    service: str
    version: int
    revision: int
    commit_id: str
    deleted: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class Committed:
    """Many changes that landed as one commit."""

    revision: int
    commit_id: str
    changed: bool
    versions: tuple[VersionMade, ...]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """Unified difference of one file of the repository."""

    path: str
    diff: str


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a write would do to the state that it was judged on."""

    dry_run: bool
    changed: bool
    versions: tuple[ServiceVersion, ...]
    diffs: tuple[FileDiff, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """Two versions compared: unified `text`, or the `operations` of a JSON Patch."""

    revision: int
    text: str = ""
    operations: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of a service besides its document."""

    service: str
    enabled: bool
    owner: str
    description: str


@dataclass(frozen=True, slots=True)
class MetaWritten:
    """The same after a write."""

    service: str
    enabled: bool
    owner: str
    description: str
    revision: int
    commit_id: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the gate found; `line` and `column` count from 1 in the text that was sent."""

    pointer: str
    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a document."""

    valid: bool
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class SchemaItem:
    """A schema in a list."""

    schema: str
    path: str
    etag: str


@dataclass(frozen=True, slots=True)
class SchemaDocument:
    """A JSON Schema and its tag."""

    schema: str
    value: object
    etag: str


@dataclass(frozen=True, slots=True)
class SchemaWritten:
    """A schema that was set or deleted; then `etag` is None."""

    schema: str
    revision: int
    commit_id: str
    changed: bool
    deleted: bool
    etag: str | None


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What is told of a token; `id` is the start of its SHA-256, `created` and `expires` may be empty."""

    id: str
    created: str
    expires: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who may do what; nothing but `problem` where its file is not valid and lets nobody in."""

    name: str
    roles: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[TokenInfo, ...] = ()
    description: str = ""
    email: str = ""
    unix_user: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PrincipalWritten:
    """A principal that was made, changed or removed."""

    name: str
    revision: int
    commit_id: str
    changed: bool


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server is and can do."""

    name: str
    version: str
    revision: int
    capabilities: tuple[str, ...]
    limits: Mapping[str, int]
    links: Mapping[str, str]
