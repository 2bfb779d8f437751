"""The store's contract, and the values that cross it.

A store keeps one sequence of revisions.  Readers take a `Snapshot`, which is
of one revision and never changes; writers hand in a `Write` and wait for its
`Outcome`.  What every implementation promises:

* A future that `submit` returned resolves only after the write is durable.
* Revisions count up by one from 1; versions of a service from 0, and a
  version never changes once it was seen.
* Writes are linearizable: a write is planned against the very state it lands
  on, and all that was acknowledged before it was submitted is in that state.
* A write whose request id has landed before is not done again; its future
  resolves to the first outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from configsvc.core.changes import Author, Outcome, Plan
from configsvc.core.names import Format


class Entry(NamedTuple):
    """One version of one service.

    Args:
        revision: Revision that made this version.
        format: None for a tombstone, as is `blob_id`.
        born: First version of the life this version belongs to; a tombstone
            ends the life it belongs to.
        ordinal: 1 for the first service ever created here, 2 for the next.
    """

    service: str
    version: int
    revision: int
    format: Format | None
    blob_id: str | None
    born: int
    ordinal: int

    @property
    def deleted(self) -> bool:
        """Whether this version is a tombstone."""
        return self.blob_id is None


class CommitRecord(NamedTuple):
    """What the index knows of a revision's commit."""

    revision: int
    commit_id: str
    committed_at: int
    author: str


class CommitInfo(NamedTuple):
    """What the commit of a revision says.

    Args:
        author: `Name <address>`.
        committed_at: Seconds since the epoch.
        message: Whole, trailers included.
    """

    revision: int
    commit_id: str
    author: str
    committed_at: int
    message: str


class PlanAgain(Exception):
    """A plan would take long, and holds up the writer: its write has to be submitted anew.

    Raised by a plan that is made again in the writer's turn; the write's future gives it.
    """


class View(Protocol):
    """What a plan may look at: the state its write would land on.

    The store notes what a plan asked for; while none of that has changed the plan
    stands, else it is made again.  A plan must depend on nothing else.
    """

    @property
    def revision(self) -> int:
        """Revision of this state."""

    def find(self, service: str) -> Entry | None:
        """Return the newest version, tombstones included; None if there never was one."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there is none."""

    def names(self, folder: str) -> frozenset[str]:
        """Return the names in a folder; "" is the root; empty when there is no such folder."""

    def identity(self, path: str) -> str | None:
        """Return the object id of the file or folder at `path`: equal for equal content; None without one."""

    def services(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """Yield the services that exist, start with `prefix` and come after `after`, sorted."""


class Snapshot(View, Protocol):
    """The whole repository at one revision.  Thread-safe; never changes."""

    @property
    def commit_id(self) -> str: ...

    def entry(self, service: str, version: int) -> Entry | None:
        """Return version `version` of `service`, None when there is none."""

    def entries(self, service: str) -> Sequence[Entry]:
        """Return all versions of `service`, oldest first; empty when there are none."""

    def find_at(self, service: str, revision: int) -> Entry | None:
        """Return what `find` would have at an earlier revision."""

    def commit(self, revision: int) -> CommitInfo:
        """Return what the commit of a revision says; `revision` is from 1 to this one."""

    def record(self, revision: int) -> CommitRecord:
        """Return what is known of a revision's commit without reading it; else as `commit`."""

    def read_at(self, path: str, revision: int) -> bytes | None:
        """Return what `read` would have at an earlier revision."""

    def changed_paths(self, revision: int) -> Iterator[str]:
        """Yield the paths of the files that the commit of `revision` changed, against the one before it."""

    def made_by(self, revision: int) -> Sequence[Entry]:
        """Return the versions that a revision made, sorted by service."""

    def revision_of(self, name: str) -> int | None:
        """Return the revision of a whole commit id or of a tag; None when main's first parents lack it."""

    def check_places(self, edits: Mapping[str, bytes | None]) -> None:
        """Raise `PathConflict` where the files of a plan cannot stand where they should."""

    def service_count(self, revision: int | None = None) -> int:
        """Return how many services existed at `revision` (default: this one)."""

    def blob(self, blob_id: str) -> bytes:
        """Return the bytes of any version's document, or of a file that is listed, by its blob id."""

    def blob_in_memory(self, blob_id: str) -> bytes | None:
        """Return what `blob` would, at once; None where that would take a read from the disk."""

    def blobs(
        self, blob_ids: Collection[str], *, max_bytes: int | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """Yield id and bytes of many small blobs, in any order.

        Args:
            max_bytes: Larger ones are left out, and not read.
        """

    def folder_files(self, folder: str) -> Mapping[str, str]:
        """Return the name of each regular file right in a folder, and its blob id."""


class Write(NamedTuple):
    """A request to change the repository.

    Args:
        plan: Makes the exact edits from a view; raises `ConfigError` to
            refuse.  It may be called several times and must have no effects.
        author: Author of the commit.
        request_id: Makes a repeat of this write by the same author happen once.
        digest: Says what was asked; a repeat of the id with another digest is
            refused with `RequestIdReused`.
    """

    plan: Callable[[View], Plan]
    author: Author
    request_id: str | None = None
    digest: str = ""

    @property
    def request_key(self) -> tuple[str, str] | None:
        """Under which a repeat is known: an id is its asker's own; None without one."""
        return None if self.request_id is None else (self.author.name, self.request_id)


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What an operator has to know.

    Args:
        problems: Code to a sentence that says what is wrong and what to do;
            while there is one, writes are refused.
        notes: The same for what hinders nobody.
        local_edits: Paths of the working tree that a person has edited.
    """

    revision: int
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    local_edits: tuple[str, ...] = ()


class ConfigStore(Protocol):
    """A store of configuration.  Thread-safe."""

    def snapshot(self) -> Snapshot:
        """Return the newest revision that is durable."""

    def submit(self, write: Write) -> Future[Outcome]:
        """Queue `write`; the future gives its outcome or the error that refused it.

        Raises:
            QueueFull: Too many writes wait already.
            ServiceClosed: The store was closed.
        """

    def status(self) -> StoreStatus:
        """Return what is wrong with this store, if anything is."""

    def listen(self, told: Callable[[Collection[str]], None]) -> Callable[[], None]:
        """Call `told` after each publish step with the paths it touched; return what ends that.

        It is called by the thread that publishes, and must not block; who asks for a snapshot
        then gets one that has the changes.
        """

    def close(self) -> None:
        """Finish what was queued, refuse what comes later, let go of the repository."""
