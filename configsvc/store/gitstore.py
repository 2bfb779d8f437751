"""The store on a git working tree: its parts put together, opened and closed in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from configsvc.core.changes import Outcome
from configsvc.core.errors import RepositoryUnusable
from configsvc.core.measures import BatchReport
from configsvc.core.reports import Violation
from configsvc.core.trees import REGULAR, PathChange
from configsvc.store.adoption import MainFollower, load_root, make_durable
from configsvc.store.base import StoreStatus, Write
from configsvc.store.disk import Disk
from configsvc.store.follower import Follower
from configsvc.store.history import RecentMessages
from configsvc.store.listeners import Listeners, Told
from configsvc.store.lock import RepositoryLock
from configsvc.store.log import LocalLog
from configsvc.store.maintenance import PUSH_S, Maintenance
from configsvc.store.opening import MAX_REMEMBERED, load_index, load_landings
from configsvc.store.publisher import Publisher
from configsvc.store.pushes import Pushes, PushRules
from configsvc.store.pushscan import PathProblem
from configsvc.store.reader import DEFAULT_CACHE_BYTES, ObjectReader
from configsvc.store.recovery import recover
from configsvc.store.refs import RefBusy, RefMoved, RefUnsynced, read_ref
from configsvc.store.repository import (
    create_repository,
    git_dir_of,
    needs_creation,
    own_folder,
    pin_settings,
    refuse_shallow,
)
from configsvc.store.requests import RequestTable
from configsvc.store.spares import SpareFiles
from configsvc.store.state import Head, encode_path
from configsvc.store.steptimes import StepTimes
from configsvc.store.steptree import Gate, StepTree
from configsvc.store.trees import find_entry
from configsvc.store.versionfile import save_versions
from configsvc.store.worktree import WorkTree
from configsvc.store.writer import Writer

SAVE_AFTER_REVISIONS = 1000
"""Revisions after which an idle store writes its version index to disk."""

logger = logging.getLogger(__name__)


def accept_all(changes: Sequence[PathChange], tree: StepTree) -> Sequence[Violation]:
    """Return no violations: the gate of a store that is given none."""
    return ()


def accept_any_path(path: str) -> str | None:
    """Return no problem: the rule for names of a store that is given none."""
    return None


class StoreFigures(NamedTuple):
    """How much there is in a store, and waits.

    Args:
        queued: Writes that wait for the writer.
        checked_age_s: Seconds since `main` was last known to be where what is served says.
        committed_at: Of the newest commit, seconds since the epoch.
        cached_bytes: Of objects kept in memory.
    """

    queued: int
    checked_age_s: float
    committed_at: int
    services: int
    packs: int
    pack_bytes: int
    cached_bytes: int


class GitStore:
    """A `ConfigStore` whose state is branch main of a git working tree.

    Use `GitStore.open`; close it, or leave its `with` block, to let go of the repository.
    """

    def __init__(
        self,
        root: Path,
        git_dir: Path,
        *,
        gate: Gate,
        path_problem: PathProblem,
        disk: Disk,
        cache_bytes: int,
        steps: StepTimes,
        push_s: float,
    ) -> None:
        self.root = root
        self.git_dir = git_dir
        self._versions_path = own_folder(git_dir) / "versions"
        self._reader = ObjectReader(root, cache_bytes=cache_bytes)
        commit_id = read_ref(git_dir)
        requests = RequestTable()
        # It reads while the index is loaded: two commands of git, and two processors.
        with closing(RecentMessages(root, commit_id, MAX_REMEMBERED)) as messages:
            index, self._saved_revision = load_index(root, self._versions_path, commit_id)
            if self._saved_revision != index.revision:
                # No clean end: the last syncs may be missing, and what is read or repeated
                # from here on is promised to last.
                _make_durable_again(root, git_dir, disk, commit_id)
            head = Head(index.revision, commit_id, index.times[-1], load_root(self._reader, commit_id))
            requests.add(load_landings(messages, index))
        self._listeners = Listeners()
        self._publisher = Publisher(head, index, self._reader, requests, on_publish=self._notify)
        self.snapshot = self._publisher.snapshot
        """Returns the newest revision that is durable; see `Publisher`."""
        self._worktree = WorkTree(root, git_dir, _Committed(self._publisher, self._reader))
        self._writer = Writer(
            self._publisher,
            LocalLog(git_dir, disk, on_step=steps),
            self._reader,
            follow_main=MainFollower(root, git_dir, self._publisher, self._reader, gate, disk).follow,
            on_idle=self._save_when_due,
            steps=steps,
        )
        rules = PushRules(gate, path_problem)
        self.pushes = Pushes(
            root, git_dir, self._publisher, self._reader, rules, disk, self._writer.submit_landing
        )
        self._follower = Follower(self._worktree, is_busy=self._writer.is_busy)
        self._maintenance = Maintenance(
            root,
            git_dir,
            exclusively=self._writer.exclusively,
            drop=self.pushes.turns.drop,
            repacked=self._reader.close,
            push_s=push_s,
        )
        self._held = ExitStack()

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        create: bool = True,
        gate: Gate = accept_all,
        path_problem: PathProblem = accept_any_path,
        disk: Disk | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        on_step: Callable[[str], None] = lambda step: None,
        on_batch: Callable[[BatchReport], None] = lambda report: None,
        mark: Callable[[], object] = lambda: None,
        push_s: float = PUSH_S,
    ) -> GitStore:
        """Return the store at exactly `root`, after recovery and ready for writes.

        The working tree follows: `flush` waits for it.

        Args:
            create: Make the repository when the folder is missing, empty, or
                holds nothing but a README.
            gate: Judges commits that something else made: a push, or what
                another program put on `main`.
            path_problem: Tells why no file may have a path, on any branch.
            on_step: Called with the name of each step of a batch, after it.
            on_batch: Called with what became of each batch, by the writer's thread.
            mark: See `StepTimes`.
            push_s: Seconds that a push may take.

        Raises:
            RepositoryUnusable: It cannot be opened as it is; the message says why.
            RepositoryLocked: Another process has it open.
        """
        root = root.absolute()
        if create and needs_creation(root):
            create_repository(root, now_s=time.time())
        git_dir = git_dir_of(root)
        refuse_shallow(root, git_dir)
        with ExitStack() as held:
            held.enter_context(RepositoryLock(git_dir))
            for finding in recover(git_dir):
                logger.warning("recovery: %s", finding)
            pin_settings(root, git_dir)
            if disk is None:
                spares = SpareFiles(own_folder(git_dir) / "spare")
                held.callback(spares.close)
                disk = Disk(spares=spares)
            store = cls(
                root,
                git_dir,
                gate=gate,
                path_problem=path_problem,
                disk=disk,
                cache_bytes=cache_bytes,
                steps=StepTimes(on_step, on_batch, mark),
                push_s=push_s,
            )
            store._held = held.pop_all()
        store._follower.start()
        store._writer.start()
        store._maintenance.start()
        return store

    def __enter__(self) -> GitStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, write: Write) -> Future[Outcome]:
        """Queue `write`; see `ConfigStore.submit`."""
        return self._writer.submit(write)

    def status(self) -> StoreStatus:
        """Return what is wrong with this store, if anything is."""
        problem = self._writer.problem
        return StoreStatus(
            revision=self.snapshot().revision,
            problems={} if problem is None else {problem.code: problem.message},
            notes=dict(self._follower.notes),
            local_edits=tuple(sorted(self._follower.local_edits)),
        )

    def figures(self) -> StoreFigures:
        """Return how much there is, and waits."""
        packs, pack_bytes = self._maintenance.pack_sizes()
        snapshot = self.snapshot()
        return StoreFigures(
            queued=self._writer.queue_length,
            checked_age_s=time.monotonic() - self._writer.checked_at_s,
            committed_at=snapshot.head.committed_at,
            services=snapshot.service_count(),
            packs=packs,
            pack_bytes=pack_bytes,
            cached_bytes=self._reader.cached_bytes,
        )

    def landed_at(self, path: str) -> float | None:
        """Return when this process last published a change of `path`, seconds since the epoch."""
        return self._publisher.landed_at(path)

    def listen(self, told: Told) -> Callable[[], None]:
        """Tell `told` which paths each publish touched; see `ConfigStore.listen`."""
        return self._listeners.add(told)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until working files and index are at the newest revision; False when they are not in time."""
        return self._follower.flush(timeout_s)

    def close(self) -> None:
        """Land what is queued, bring the working tree up, let go of the repository."""
        # First: it may have the writer's turn.
        self._maintenance.close()
        self._writer.close()
        self._follower.close()
        self._save()
        self._reader.close()
        self._held.close()

    def _notify(self, paths: Collection[str]) -> None:
        self._follower.notify(paths)
        self._listeners.tell(paths)

    def _save_when_due(self) -> None:
        if self._publisher.index.revision - self._saved_revision >= SAVE_AFTER_REVISIONS:
            self._save()

    def _save(self) -> None:
        index = self._publisher.index
        if index.revision == self._saved_revision:
            return
        try:
            save_versions(index, self._versions_path)
            self._saved_revision = index.revision
        except OSError as error:
            # A cache: without it the next start reads the history instead.
            logger.warning("version index: not saved: %s", error)


def _make_durable_again(root: Path, git_dir: Path, disk: Disk, commit_id: str) -> None:
    try:
        make_durable(git_dir, disk, commit_id)
    except (OSError, RefBusy, RefMoved, RefUnsynced) as error:
        raise RepositoryUnusable(
            f"repository: {root} could not be synced: {error} (expected: a disk that works)"
        ) from error


class _Committed:
    """What the working tree has to know of the published state."""

    def __init__(self, publisher: Publisher, reader: ObjectReader) -> None:
        self._publisher = publisher
        self._reader = reader

    def blob_at(self, path: str) -> bytes | None:
        entry = find_entry(self._publisher.snapshot().head.root, encode_path(path), self._reader.read)
        return entry.id if entry is not None and entry.mode in REGULAR else None

    def known(self, path: str, blob_id: bytes) -> bool:
        return self._publisher.index.known(path, blob_id)

    def content(self, blob_id: bytes) -> bytes:
        return self._reader.blob(blob_id)
