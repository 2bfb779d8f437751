"""A batch: the writes that are made durable together, each as its own commit.

A `Batch` is a value: objects, the move of `main`, what each commit changed, and
the outcomes.  Where it is made durable is the business of a `CommitLog`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from configsvc.core.changes import COMMITTER, Outcome, Plan, ServiceVersion
from configsvc.core.errors import RequestIdReused
from configsvc.core.trees import FILE, PathChange
from configsvc.store.base import Entry, Write
from configsvc.store.objects import CommitObject, Objects, add_object
from configsvc.store.reader import ObjectReader
from configsvc.store.requests import Landing, RequestTable, request_trailers
from configsvc.store.state import BatchState, Head, NotedView, StoreSnapshot, encode_path
from configsvc.store.trees import edited
from configsvc.store.versions import CommitChanges

MAX_CLOCK_LEAD_S = 86_400
"""How far ahead of the clock a head's time may be and still be kept up with, in seconds."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Commits in landing order, and all that is needed to make them durable and visible.

    Args:
        base: Commit id that `main` must hold.
        head: Commit id that it holds afterwards.
        landings: Request ids that this batch brings in.
    """

    base: str
    head: str
    commits: tuple[CommitChanges, ...]
    objects: Objects
    landings: tuple[Landing, ...]
    new_head: Head


@dataclass(slots=True)
class Pending:
    """A write that waits, and its plan when one could be made as it came in."""

    write: Write
    future: Future[Outcome]
    plan: Plan | None
    view: NotedView


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
        self.accepted: list[tuple[Pending, Outcome]] = []
        self._base = base
        self._requests = requests
        self._state = BatchState(base, reader)
        self._head = base.commit_id
        self._committed_at = commit_time(clock(), base.head.committed_at)
        self._commits: list[CommitChanges] = []
        self._landings: dict[str, Landing] = {}

    def take(self, pending: Pending) -> None:
        """Add a write's commit, or note that it changes nothing.

        Raises:
            ConfigError: The write is refused; the batch goes on without it.
        """
        known = self._known_outcome(pending.write)
        if known is not None:
            self.accepted.append((pending, known))
            return
        plan = pending.plan
        if plan is None or not pending.view.still_holds(self._state):
            plan = pending.write.plan(self._state)
        outcome = self._commit(pending.write, plan)
        self.accepted.append((pending, outcome))
        if pending.write.request_id is not None:
            landing = Landing(pending.write.request_id, pending.write.digest, outcome)
            self._landings[landing.request_id] = landing

    def batch(self) -> Batch | None:
        """Return what has to be made durable, None when no write changed anything."""
        if not self._commits:
            return None
        head = Head(self._state.revision, self._head, self._committed_at, self._state.root)
        landings = tuple(self._landings.values())
        return Batch(
            self._base.commit_id, self._head, tuple(self._commits), self._state.objects, landings, head
        )

    def landings(self) -> tuple[Landing, ...]:
        """Return the request ids taken so far, with their outcomes."""
        return tuple(self._landings.values())

    def _known_outcome(self, write: Write) -> Outcome | None:
        if write.request_id is None:
            return None
        landing = self._landings.get(write.request_id) or self._requests.find(write.request_id)
        if landing is None:
            return None
        if landing.digest != write.digest:
            raise RequestIdReused(
                f"request id: {write.request_id!r} belongs to another write (expected: a new id)"
            )
        return landing.outcome

    def _commit(self, write: Write, plan: Plan) -> Outcome:
        objects = Objects()
        blobs = {
            path: None if content is None else add_object(objects, "blob", content)
            for path, content in plan.edits.items()
        }
        edits = {encode_path(path): blob_id for path, blob_id in blobs.items()}
        root = edited(self._state.root, edits, self._state.load, objects)
        if root.id == self._state.root.id:
            return Outcome(self._state.revision, self._head, (), changed=False)
        commit = CommitObject(
            tree=root.id,
            parents=(bytes.fromhex(self._head),),
            author=write.author,
            committer=COMMITTER,
            committed_at=self._committed_at,
            message=plan.full_message(request_trailers(write.request_id, write.digest)),
        )
        identity = add_object(objects, "commit", commit.encode())
        self._head = identity.hex()
        changes = tuple(
            PathChange(path, None if blob_id is None else FILE, blob_id) for path, blob_id in blobs.items()
        )
        made = self._state.advance(root, objects, list(blobs))
        self._commits.append(CommitChanges(identity, self._committed_at, str(write.author), changes))
        return Outcome(self._state.revision, self._head, tuple(map(_made, made)))


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
