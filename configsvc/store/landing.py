"""What a push to main comes to: its commits as they are, or one merge commit.

As they are, when the head is on the first-parent chain of what was pushed: then
no version is renumbered.  Else, when what was pushed and what came in between
touch different services and files, one merge commit whose first parent is the head.

The same functions judge a push in quarantine and again before it lands, on the
trees that it leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from configsvc.core.changes import COMMITTER, Author, commit_message
from configsvc.core.errors import PathConflict, PushRefused
from configsvc.core.names import META_FOLDER, Format, document_path, find_document, meta_path
from configsvc.core.reports import Violation
from configsvc.core.trees import EXECUTABLE, REGULAR, PathChange
from configsvc.documents.meta import parse_meta
from configsvc.store.gitcommand import GitFailed
from configsvc.store.objects import CommitObject, Objects, add_object
from configsvc.store.pushbounds import MAX_COMMITS, Budget
from configsvc.store.pushtypes import LANDING_REF, CommitHead, Pusher, parse_commit, refusal
from configsvc.store.refs import MAIN
from configsvc.store.state import Head, encode_path
from configsvc.store.steptree import Gate, ObjectSource, StepTree
from configsvc.store.treediff import changed_paths
from configsvc.store.trees import Load, Tree, edited, find_folder

_MAX_SHOWN_PATHS = 20
_ANY_NUMBER = 1 << 40


class PushedObjects(ObjectSource, Protocol):
    """Where the objects of a push are found: in quarantine, or in the repository."""

    def git(self, *arguments: str) -> bytes:
        """Return what a git command prints that sees them; raises `GitFailed`."""


class Step(NamedTuple):
    """A first-parent commit that would land."""

    commit_id: bytes
    root: Tree
    changes: tuple[PathChange, ...]


class Judged(NamedTuple):
    """A push that the gate accepts.

    Args:
        against: Head that it was judged against, and what it says of configs.
        steps: The commits to land as they are; empty when they cannot be.
        base: 20-byte id of the tree that the pusher started from.
        changes: What the push changes since then.
    """

    tip: bytes
    against: str
    meta: bytes | None
    steps: tuple[Step, ...]
    base: bytes
    changes: tuple[PathChange, ...]
    subject: str


@dataclass(frozen=True)
class Judge:
    """Judges pushes for one pusher.

    Args:
        gate: Judges what a commit changed, on the tree that it leads to.
    """

    gate: Gate
    pusher: Pusher
    objects: PushedObjects
    budget: Budget

    def judge(self, tip: str, ref: str, head: Head) -> Judged | None:
        """Return what would land of `tip`, None when all of it is on main already.

        Raises:
            PushRefused: It may not land; the message says where and why.
        """
        chain = self._chain(tip, head.commit_id)
        if not chain:
            return None
        if chain[-1].hex() != tip:
            raise PushRefused(f"object {tip[:12]}: no commit (expected: one)")
        commits = [(identity, self._commit(identity)) for identity in chain]
        meta = meta_id(head.root, self.objects.read)
        subject = commits[-1][1].subject
        identity = bytes.fromhex(tip)
        if commits[0][1].parents[:1] == (bytes.fromhex(head.commit_id),):
            steps = self._steps(commits, head.root)
            changes = self._changes(head.root.id, commits[-1][1].tree)
            return Judged(identity, head.commit_id, meta, steps, head.root.id, changes, subject)
        if ref == MAIN:
            raise PushRefused(
                f"main: its head {head.commit_id[:12]} is not on the first-parent chain of {tip[:12]}, so "
                "versions would be renumbered "
                f"(expected: push to {LANDING_REF}: git push origin HEAD:{LANDING_REF})"
            )
        base, changes = self._since_base(tip, head.commit_id)
        judged = Judged(identity, head.commit_id, meta, (), base, changes, subject)
        root = merged_root(judged, head.root, self.objects.read, Objects())
        self.check_step(landed_changes(judged, head.root, self.objects.read), head.root, root, self.objects)
        return judged

    def check_step(
        self, changes: Sequence[PathChange], before: Tree, after: Tree, source: ObjectSource
    ) -> None:
        """Raise `PushRefused` when one step of main may not be made."""
        self._check_rights(changes, before, source)
        self._check_content(changes, before, after, source)

    def _check_rights(self, changes: Sequence[PathChange], before: Tree, source: ObjectSource) -> None:
        _refuse(list(self.pusher.refused(changes, StepTree(before, source))))

    def _check_content(
        self, changes: Sequence[PathChange], before: Tree, after: Tree, source: ObjectSource
    ) -> None:
        counted = _Counted(source, self.budget)
        was, is_ = StepTree(before, counted), StepTree(after, counted)
        _refuse([*deletion_violations(changes, was, is_), *self.gate(changes, is_)])

    def _chain(self, tip: str, head: str) -> list[bytes]:
        """Return the first-parent commits that are not on main, oldest first."""
        limit = f"--max-count={MAX_COMMITS + 1}"
        try:
            listed = self.objects.git("rev-list", "--first-parent", limit, tip, f"^{head}", "--").splitlines()
        except GitFailed as error:
            raise PushRefused(f"push: its history is not to be read: {error}") from error
        if len(listed) > MAX_COMMITS:
            raise PushRefused(f"push: more than {MAX_COMMITS} commits (expected: several pushes)")
        return [bytes.fromhex(line.decode()) for line in reversed(listed)]

    def _commit(self, identity: bytes) -> CommitHead:
        return parse_commit(identity, self.objects.read(identity))

    def _steps(self, commits: Sequence[tuple[bytes, CommitHead]], root: Tree) -> tuple[Step, ...]:
        steps: list[Step] = []
        before = [root]
        # Rights on all of it first: what may not land in any case is not worth reading.
        for identity, commit in commits:
            changes = self._changes(before[-1].id, commit.tree)
            with _told_of(identity, commits):
                self._check_rights(changes, before[-1], self.objects)
            after = Tree(self.objects.read(commit.tree), commit.tree)
            steps.append(Step(identity, after, changes))
            before.append(after)
        for was, step in zip(before, steps, strict=False):
            with _told_of(step.commit_id, commits):
                self._check_content(step.changes, was, step.root, self.objects)
        return tuple(steps)

    def _since_base(self, tip: str, head: str) -> tuple[bytes, tuple[PathChange, ...]]:
        try:
            bases = self.objects.git("merge-base", "--all", head, tip).split()
        except GitFailed:
            bases = []
        if len(bases) != 1:
            raise PushRefused(
                f"push: {len(bases)} common ancestors with main (expected: one; "
                "rebase on main, or start from a clone of it)"
            )
        base = self._commit(bytes.fromhex(bases[0].decode())).tree
        return base, self._changes(base, self._commit(bytes.fromhex(tip)).tree)

    def _changes(self, before: bytes, after: bytes) -> tuple[PathChange, ...]:
        changes = changed_paths(before, after, self.objects.read, spend=self.budget.spend_entries)
        self.budget.spend_changes(len(changes))
        return tuple(changes)


class _Counted:
    """Objects that are read within a budget: what is made of each is counted with the next."""

    def __init__(self, source: ObjectSource, budget: Budget) -> None:
        self._source = source
        self._budget = budget

    def read(self, identity: bytes) -> bytes:
        self._budget.check_time()
        return self._source.read(identity)

    def size(self, identity: bytes) -> int:
        self._budget.check_time()
        return self._source.size(identity)


def _refuse(violations: Sequence[Violation]) -> None:
    if violations:
        raise refusal(f"refused: {len(violations)} findings; nothing of the push was taken", violations)


@contextmanager
def _told_of(identity: bytes, commits: Sequence[object]) -> Iterator[None]:
    """Have a refusal say which of several commits it is about."""
    try:
        yield
    except PushRefused as error:
        if len(commits) == 1:
            raise
        raise PushRefused(f"{error.message}\nin commit {identity.hex()[:12]}", error.details) from error


def merged_root(judged: Judged, head: Tree, load: Load, objects: Objects) -> Tree:
    """Return the head's tree with what a push changes.

    Args:
        objects: Receives the new trees.

    Raises:
        PushRefused: What came in between touches the same.
    """
    changes = landed_changes(judged, head, load)
    edits = {encode_path(change.path): change.blob_id for change in changes}
    programs = {encode_path(change.path) for change in changes if change.mode == EXECUTABLE}
    odd = [change.path for change in changes if change.mode is not None and change.mode not in REGULAR]
    if odd:
        raise refusal("refused", [Violation(path, "mode (expected: 100644, a regular file)") for path in odd])
    try:
        return edited(head, edits, load, objects, executable=programs)
    except PathConflict as error:
        raise PushRefused(
            f"{error.message}\nmain has changed meanwhile: fetch, merge or rebase, push again"
        ) from error


def add_merge(judged: Judged, head: str, root: Tree, objects: Objects, author: Author, when: int) -> bytes:
    """Put the commit that brings a push to main among `objects`; return its 20-byte id.

    Its first parent is the head, the second what was pushed.
    """
    commit = CommitObject(
        tree=root.id,
        parents=(bytes.fromhex(head), judged.tip),
        author=author,
        committer=COMMITTER,
        committed_at=when,
        message=commit_message(f"Land {judged.tip.hex()[:12]}: {judged.subject}"),
    )
    return add_object(objects, "commit", commit.encode())


def meta_id(root: Tree, load: Load) -> bytes | None:
    """Return the id of all that is said about the configs: schemas, principals, services."""
    folder = find_folder(root, META_FOLDER.encode(), load)
    return None if folder is None else folder.id


def deletion_violations(
    changes: Sequence[PathChange], before: StepTree, after: StepTree
) -> Iterator[Violation]:
    """Yield the services that go while they are enabled, or that leave something behind."""
    for change in changes:
        document = find_document(change.path) if change.mode is None else None
        if document is None or _has_document(document.service, after):
            continue
        place = meta_path(document.service)
        if before.mode(place) not in REGULAR or parse_meta(before.read(place)).enabled:
            yield Violation(
                change.path,
                "removed while its service is enabled "
                f"(expected: `enabled: false` in {place}, in a commit before this one)",
            )
        elif after.mode(place) is not None:
            yield Violation(place, "left without its document (expected: removed in the same commit)")


def _has_document(service: str, tree: StepTree) -> bool:
    return any(tree.mode(document_path(service, format_)) in REGULAR for format_ in Format)


def landed_changes(judged: Judged, head: Tree, load: Load) -> tuple[PathChange, ...]:
    """Return the changes of a push that the head has not got already in the same way.

    Raises:
        PushRefused: What came in between touches the same.
    """
    between = changed_paths(judged.base, head.id, load, max_changes=_ANY_NUMBER)
    done, ours = set(between), set(judged.changes)
    left = tuple(change for change in judged.changes if change not in done)
    taken = {_owner(change.path) for change in between if change not in ours}
    both = sorted({change.path for change in left if _owner(change.path) in taken})
    if both:
        shown = "".join(f"{path}: changed on main meanwhile too\n" for path in both[:_MAX_SHOWN_PATHS])
        more = f"... and {len(both) - _MAX_SHOWN_PATHS} more\n" if len(both) > _MAX_SHOWN_PATHS else ""
        raise PushRefused(f"{shown}{more}refused: fetch, merge or rebase, push again")
    return left


def _owner(path: str) -> str:
    """Return what two changes must not share: the service of a document, else the path."""
    document = find_document(path)
    return path if document is None else f"service {document.service}"
