"""A batch: the writes that are made durable together, each as its own commit.

A `Batch` is a value: objects, the move of `main`, what each commit changed, and
the outcomes.  Where it is made durable is the business of a `CommitLog`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from configsvc.core.changes import COMMITTER, Outcome, Plan, ServiceVersion
from configsvc.core.errors import RequestIdReused
from configsvc.core.trees import FILE, PathChange
from configsvc.store.base import Entry, Write
from configsvc.store.objects import CommitObject, Objects, add_object
from configsvc.store.reader import ObjectReader
from configsvc.store.requests import Landing, RequestKey, RequestTable, request_trailers
from configsvc.store.state import BatchState, Head, NotedView, StoreSnapshot, encode_path
from configsvc.store.trees import Tree, edited
from configsvc.store.versions import CommitChanges

MAX_CLOCK_LEAD_S = 86_400
"""How far ahead of the clock a head's time may be and still be kept up with, in seconds."""


class Batch(NamedTuple):
    """Commits in landing order, and all that is needed to make them durable and visible.

    Args:
        base: Commit id that `main` must hold.
        head: Commit id that it holds afterwards.
        landings: Request ids that this batch brings in.
        pushed: Tips of pushes that land in it.  Their objects are in the
            repository already, synced.
    """

    base: str
    head: str
    commits: tuple[CommitChanges, ...]
    objects: Objects
    landings: tuple[Landing, ...]
    new_head: Head
    pushed: tuple[str, ...] = ()


class NextBatch(Exception):
    """What is to land has to see this batch published first."""


@dataclass(slots=True)
class PendingLanding:
    """Something else than a write that waits for its turn: it puts its commits on a draft by itself.

    Args:
        land: Adds commits with `Draft.add`; raises `ConfigError` to refuse,
            before it has added any.
    """

    land: Callable[[Draft], Outcome]
    future: Future[Outcome]
    queued_at_s: float = field(default_factory=time.perf_counter)
    mark: object = None


@dataclass(slots=True)
class Pending:
    """A write that waits, and its plan when one could be made as it came in."""

    write: Write
    future: Future[Outcome]
    plan: Plan | None
    view: NotedView
    queued_at_s: float = field(default_factory=time.perf_counter)
    mark: object = None


class Draft:
    """A batch under construction: takes one write after the other.

    Args:
        base: State that the first write lands on.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        base: StoreSnapshot,
        reader: ObjectReader,
        requests: RequestTable,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.accepted: list[tuple[Pending | PendingLanding, Outcome]] = []
        self.base = base
        self.state = BatchState(base, reader)
        self.head = base.commit_id
        self.pushed: list[str] = []
        self._requests = requests
        self.committed_at = commit_time(clock(), base.head.committed_at)
        self._commits: list[CommitChanges] = []
        self._landings: dict[RequestKey, Landing] = {}

    def take(self, pending: Pending | PendingLanding) -> None:
        """Add a write's commit or a push's, or note that it changes nothing.

        Raises:
            ConfigError: It is refused; the batch goes on without it.
            NextBatch: It cannot be in this batch.
        """
        if isinstance(pending, PendingLanding):
            self.accepted.append((pending, pending.land(self)))
            return
        known = self._known_outcome(pending.write)
        if known is not None:
            self.accepted.append((pending, known))
            return
        plan = pending.plan
        if plan is None or not pending.view.still_holds(self.state):
            plan = pending.write.plan(self.state)
        outcome = self._commit(pending.write, plan)
        self.accepted.append((pending, outcome))
        key = pending.write.request_key
        if key is not None:
            self._landings[key] = Landing(*key, pending.write.digest, outcome)

    def batch(self) -> Batch | None:
        """Return what has to be made durable, None when no write changed anything."""
        if not self._commits:
            return None
        head = Head(self.state.revision, self.head, self.committed_at, self.state.root)
        landings = tuple(self._landings.values())
        return Batch(
            base=self.base.commit_id,
            head=self.head,
            commits=tuple(self._commits),
            objects=self.state.objects,
            landings=landings,
            new_head=head,
            pushed=tuple(self.pushed),
        )

    def add(self, commit: CommitChanges, root: Tree, objects: Objects) -> tuple[ServiceVersion, ...]:
        """Put a commit on top; return the versions that it makes.

        Args:
            root: Its root tree.
            objects: What is new with it, the commit itself included.
        """
        self.head = commit.commit_id.hex()
        self.committed_at = max(self.committed_at, commit.committed_at)
        made = self.state.advance(root, objects, commit.changes)
        self._commits.append(commit)
        return tuple(map(_made, made))

    def landings(self) -> tuple[Landing, ...]:
        """Return the request ids taken so far, with their outcomes."""
        return tuple(self._landings.values())

    def _known_outcome(self, write: Write) -> Outcome | None:
        key = write.request_key
        if key is None:
            return None
        landing = self._landings.get(key) or self._requests.find(key)
        if landing is None:
            return None
        if landing.digest != write.digest:
            raise RequestIdReused(
                f"request id: {write.request_id!r} belongs to another write (expected: a new id)"
            )
        return landing.outcome

    def _commit(self, write: Write, plan: Plan) -> Outcome:
        objects = Objects()
        edits: dict[bytes, bytes | None] = {}
        changes: list[PathChange] = []
        for path, content in plan.edits.items():
            blob_id = None if content is None else add_object(objects, "blob", content)
            edits[encode_path(path)] = blob_id
            changes.append(PathChange(path, None if blob_id is None else FILE, blob_id))
        root = edited(self.state.root, edits, self.state.load, objects)
        if root.id == self.state.root.id:
            return Outcome(self.state.revision, self.head, (), changed=False)
        commit = CommitObject(
            tree=root.id,
            parents=(bytes.fromhex(self.head),),
            author=write.author,
            committer=COMMITTER,
            committed_at=self.committed_at,
            message=plan.full_message(request_trailers(write.request_id, write.digest)),
        )
        identity = add_object(objects, "commit", commit.encode())
        commit_changes = CommitChanges(identity, self.committed_at, str(write.author), tuple(changes))
        made = self.add(commit_changes, root, objects)
        return Outcome(self.state.revision, self.head, made)


def commit_time(now_s: float, head_time: int) -> int:
    """Return the time of the next commit: the clock's, but not before the head's.

    A clock that steps back must not make history run backwards, since
    `git log --since` stops at the first older commit.  A head from more than
    a day ahead was made by a broken clock and is not followed.
    """
    now = max(int(now_s), 0)
    return head_time if now < head_time <= now + MAX_CLOCK_LEAD_S else now


def _made(entry: Entry) -> ServiceVersion:
    return ServiceVersion(entry.service, entry.version, entry.deleted)
