"""Pushes on their way to the repository: judged in quarantine, then landed by the writer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from configsvc.core.changes import Outcome
from configsvc.core.errors import ConfigError, GitBusy, OutcomeUnknown, PushRefused, WriteFailed
from configsvc.store.adoption import sync_objects
from configsvc.store.base import PlanAgain
from configsvc.store.batch import Draft, NextBatch
from configsvc.store.disk import Disk
from configsvc.store.gitcommand import GitFailed, bare_environment, git
from configsvc.store.history import first_parent_commits
from configsvc.store.landing import Judge, Judged, add_merge, landed_changes, merged_root, meta_id
from configsvc.store.landingturns import LandingTurns
from configsvc.store.objects import Objects
from configsvc.store.publisher import Publisher
from configsvc.store.pushbounds import JUDGING_S, Budget
from configsvc.store.pushrules import (
    Proposals,
    check_old_ids,
    check_ref,
    check_refs_together,
    check_right,
    is_for_main,
)
from configsvc.store.pushscan import PathProblem, Scan
from configsvc.store.pushtypes import Pusher, RefUpdate
from configsvc.store.quarantine import Quarantine
from configsvc.store.reader import ObjectReader
from configsvc.store.refs import MAIN
from configsvc.store.repository import LEFTOVERS, own_folder
from configsvc.store.state import BatchState, Head
from configsvc.store.steptree import Gate
from configsvc.store.trees import TreeEntry, walk
from configsvc.store.versions import CommitChanges

MAX_JUDGED = 4
"""Pushes judged at one time."""
LANDING_TIMEOUT_S = 120.0
MAX_HANDED_BACK = 3
"""How often a landing is judged again outside of the writer's turn before the writer does it."""
_UNKNOWN = "(main may have moved or not: fetch, then see)"
_JUDGING_TURN_S = 30.0
# API writes wait meanwhile.
_JUDGING_IN_TURN_S = 2.0


@dataclass(frozen=True)
class PushRules:
    """What the store is told of the rules.

    Args:
        gate: Judges what a commit changed, on the tree that it leads to.
        path_problem: Tells why no file may have a path.
    """

    gate: Gate
    path_problem: PathProblem


class Pushes:
    """Takes pushes.  Thread-safe.

    Args:
        submit: Queues what puts commits on the writer's draft.
    """

    def __init__(
        self,
        root: Path,
        git_dir: Path,
        publisher: Publisher,
        reader: ObjectReader,
        rules: PushRules,
        disk: Disk,
        submit: Callable[[Callable[[Draft], Outcome]], Future[Outcome]],
    ) -> None:
        self._root = root
        self._git_dir = git_dir
        self._publisher = publisher
        self._reader = reader
        self._rules = rules
        self._disk = disk
        self._submit = submit
        self._proposals = Proposals(own_folder(git_dir) / "proposals.json")
        self._leftovers = own_folder(git_dir) / LEFTOVERS
        self.turns = LandingTurns()
        self._turns = threading.BoundedSemaphore(MAX_JUDGED)

    def judge(self, updates: Sequence[RefUpdate], quarantine: str, pusher: Pusher) -> None:
        """Return when all of a push may be taken, as far as can be told before it lands.

        Args:
            quarantine: Folder where git keeps the objects apart; empty when there are none.

        Raises:
            PushRefused: It may not; the message has a line for each reason.
        """
        for update in updates:
            check_ref(update)
            check_right(update, pusher)
        if sum(is_for_main(update.ref) for update in updates) > 1:
            raise PushRefused("push: main is named twice (expected: one of its refs in a push)")
        if not self._turns.acquire(timeout=_JUDGING_TURN_S):
            raise GitBusy("push: the server judges other pushes (expected: try again)")
        try:
            self._judge(updates, quarantine, pusher)
        except GitFailed as error:
            raise PushRefused(f"push: not to be judged: {error}") from error
        finally:
            self._turns.release()

    def land(self, update: RefUpdate, pusher: Pusher) -> Outcome:
        """Land what was pushed for main and return what came of it; its objects are in the repository.

        Raises:
            PushRefused: It may not land, or main has moved to where it cannot.
            WriteFailed: The disk refused.
            OutcomeUnknown: It may have landed or not.
        """
        check_ref(update)
        if not is_for_main(update.ref):
            raise PushRefused(f"{update.ref!a}: does not land (expected: a push for main)")
        try:
            with self.turns.landing():
                self._check_stored(update)
                return self._land_at_last(update, pusher)
        except ConfigError:
            self.note_leftovers()
            raise

    def note_leftovers(self) -> None:
        """Let maintenance know that there may be objects that nothing reaches."""
        with suppress(OSError):
            self._leftovers.touch()

    def judge_of_stored(self, pusher: Pusher, *, seconds: float = JUDGING_S) -> Judge:
        """Return a judge of what `pusher` pushes that sees the repository's objects.

        Args:
            seconds: Time that it has.
        """
        budget = Budget(seconds=seconds)
        return Judge(self._rules.gate, pusher, StoredObjects(self._root, self._reader, budget), budget)

    def commits(self, judged: Judged) -> tuple[CommitChanges, ...]:
        """Return the commits that land as they are, as the version index takes them."""
        if not judged.steps:
            return ()
        found = tuple(first_parent_commits(self._root, judged.tip.hex(), after=judged.against))
        if [each.commit_id for each in found] != [step.commit_id for step in judged.steps]:
            raise PushRefused("push: its history is not to be read as it was judged (expected: try again)")
        return found

    @property
    def publisher(self) -> Publisher:
        """What is published."""
        return self._publisher

    def _check_stored(self, update: RefUpdate) -> None:
        """Raise `PushRefused` when something that a push names is gone from the disk, whatever is cached."""
        command = ("rev-list", "--objects", "--quiet", update.new, "--not", "--all", "--")
        try:
            git(self._root, *command, environ=bare_environment(), timeout_s=JUDGING_S)
        except GitFailed as error:
            raise PushRefused(
                f"push: {update.new[:12]}, or what it names, is gone (expected: push again): {error}"
            ) from error

    def _land_at_last(self, update: RefUpdate, pusher: Pusher) -> Outcome:
        for again in range(MAX_HANDED_BACK):
            with suppress(PlanAgain):
                return self._land(Landing(self, update, pusher, hands_back=True), is_synced=again > 0)
        return self._land(Landing(self, update, pusher), is_synced=True)

    def _land(self, landing: Landing, *, is_synced: bool) -> Outcome:
        if landing.judged is None:
            snapshot = self._publisher.snapshot()
            return Outcome(snapshot.revision, snapshot.commit_id, (), changed=False)
        if not is_synced:
            self._sync()
        return _outcome(self._submit(landing.land))

    def _judge(self, updates: Sequence[RefUpdate], folder: str, pusher: Pusher) -> None:
        budget = Budget()
        tips = [update.new for update in updates if not update.is_deletion]
        with Quarantine(self._root, self._git_dir, folder, budget) as objects:
            head = self._publisher.snapshot().head
            Scan(
                objects,
                objects.new_objects(),
                budget,
                self._rules.path_problem,
                lambda: self._tolerated(head),
            ).run(tips)
            for update in updates:
                if not update.is_deletion and not update.ref.startswith("refs/tags/"):
                    _check_commit(objects, update)
                if is_for_main(update.ref):
                    Judge(self._rules.gate, pusher, objects, budget).judge(update.new, update.ref, head)
            if not all(is_for_main(update.ref) for update in updates):
                check_old_ids(updates, objects)
            check_refs_together(updates, objects)
            self._proposals.check(updates, pusher, objects)
        if not all(is_for_main(update.ref) for update in updates):
            self.note_leftovers()  # a branch may lose commits, and git itself may still refuse

    def _tolerated(self, head: Head) -> frozenset[tuple[bytes, TreeEntry]]:
        return frozenset(
            (path.rpartition(b"/")[2], entry) for path, entry in walk(head.root, self._reader.read)
        )

    def _sync(self) -> None:
        try:
            sync_objects(self._git_dir, self._disk)
        except OSError as error:
            raise WriteFailed(f"disk: {error.strerror or error}; nothing was landed") from error


class Landing:
    """One push on its way through the writer.

    It was judged against the head of its time.  Writes that landed since then
    change other files, or it is refused; whether anything that a verdict rests
    on has changed is seen by ids, and then it is judged again.

    Args:
        hands_back: Whether the writer hands it back to be judged again, which
            may take long, and does not do so itself.
    """

    def __init__(
        self, pushes: Pushes, update: RefUpdate, pusher: Pusher, *, hands_back: bool = False
    ) -> None:
        self._pushes = pushes
        self._update = update
        self._pusher = pusher
        self._hands_back = hands_back
        # In this order: a move in between makes what is judged look older than it is.
        self._moves = pushes.publisher.foreign_moves
        self._judge_on(pushes.publisher.snapshot().head, JUDGING_S)

    def land(self, draft: Draft) -> Outcome:
        """Put the push on a draft of the writer's.

        Raises:
            PushRefused: It does not fit what has landed since.
            NextBatch: Another push is on it, and has to be published first.
            PlanAgain: It is to be judged again first.
        """
        if draft.pushed:
            raise NextBatch
        if self._moves != self._pushes.publisher.foreign_moves:
            self._hand_back()
            self._moves = self._pushes.publisher.foreign_moves
            self._judge_on(draft.base.head, _JUDGING_IN_TURN_S)
        if self.judged is None:
            return Outcome(draft.base.revision, draft.base.commit_id, (), changed=False)
        if self._commits and draft.head == self.judged.against:
            return self._land_as_it_is(draft, self.judged)
        return self._land_merged(draft, self.judged)

    def _judge_on(self, head: Head, seconds: float) -> None:
        judge = self._pushes.judge_of_stored(self._pusher, seconds=seconds)
        self.judged = judge.judge(self._update.new, self._update.ref, head)
        self._commits = () if self.judged is None else self._pushes.commits(self.judged)

    def _hand_back(self) -> None:
        if self._hands_back:
            raise PlanAgain

    def _land_as_it_is(self, draft: Draft, judged: Judged) -> Outcome:
        made = tuple(
            version
            for commit, step in zip(self._commits, judged.steps, strict=True)
            for version in draft.add(commit, step.root, Objects())
        )
        draft.pushed.append(self._update.new)
        return Outcome(draft.state.revision, draft.head, made)

    def _land_merged(self, draft: Draft, judged: Judged) -> Outcome:
        if self._update.ref == MAIN:
            raise PushRefused(
                f"main: moved to {draft.head[:12]} meanwhile "
                "(expected: fetch and try again, or push to refs/for/main, which lands anyhow)"
            )
        state, objects = draft.state, Objects()
        changes = landed_changes(judged, state.root, state.load)
        root = merged_root(judged, state.root, state.load, objects)
        # What main says of the configs, or what the push says of them: either was judged
        # beside other documents than it lands beside.
        is_moved = draft.head != judged.against
        if is_moved and meta_id(root, _DraftSource(state, objects).read) != judged.meta:
            self._hand_back()
            judge = self._pushes.judge_of_stored(self._pusher, seconds=_JUDGING_IN_TURN_S)
            judge.check_step(changes, state.root, root, _DraftSource(state, objects))
        author = self._pusher.author
        identity = add_merge(judged, draft.head, root, objects, author, draft.committed_at)
        made = draft.add(CommitChanges(identity, draft.committed_at, str(author), changes), root, objects)
        draft.pushed.append(self._update.new)
        return Outcome(state.revision, draft.head, made)


class StoredObjects:
    """The repository's own objects."""

    def __init__(self, root: Path, reader: ObjectReader, budget: Budget) -> None:
        self._root = root
        self._reader = reader
        self._budget = budget

    def read(self, identity: bytes) -> bytes:
        return self._reader.read(identity)

    def size(self, identity: bytes) -> int:
        return self._reader.size(identity)

    def git(self, *arguments: str) -> bytes:
        return git(self._root, *arguments, environ=bare_environment(), timeout_s=self._budget.left_s)


class _DraftSource:
    """Objects of a draft, and of a commit that is to be put on it."""

    def __init__(self, state: BatchState, objects: Objects) -> None:
        self._state = state
        self._objects = objects

    def read(self, identity: bytes) -> bytes:
        found = self._objects.get(identity)
        return self._state.load(identity) if found is None else found[1]

    def size(self, identity: bytes) -> int:
        return len(self.read(identity))


def _outcome(future: Future[Outcome]) -> Outcome:
    """Return what came of a landing that is queued; one that has not begun in time will not begin."""
    try:
        return future.result(LANDING_TIMEOUT_S)
    except TimeoutError:
        if future.cancel():
            raise GitBusy(
                f"push: not landed within {LANDING_TIMEOUT_S:g} s; nothing was (expected: try again)"
            ) from None
        raise OutcomeUnknown(f"push: not known after {LANDING_TIMEOUT_S:g} s {_UNKNOWN}") from None
    except OutcomeUnknown as error:
        raise OutcomeUnknown(f"{error.message} {_UNKNOWN}") from error


def _check_commit(objects: Quarantine, update: RefUpdate) -> None:
    kind = objects.kind_and_content(bytes.fromhex(update.new))[0]
    if kind != "commit":
        raise PushRefused(f"{update.ref}: {kind} {update.new[:12]} (expected: a commit)")
