"""The structural rules for whatever a push brings, wherever it is to go: looked at object by object.

Each new commit and tree is read once, by id.  What a symbolic link, a submodule
or an odd name needs to do harm in somebody's clone it finds on any branch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from configsvc.core.changes import COMMITTER
from configsvc.core.errors import PushRefused
from configsvc.core.names import ATTRIBUTES, ATTRIBUTES_FILE
from configsvc.core.reports import Violation
from configsvc.core.trees import EXECUTABLE, FILE, FOLDER
from configsvc.store.gitcommand import GitFailed
from configsvc.store.objects import object_id
from configsvc.store.pushbounds import MAX_CLOCK_LEAD_S, MAX_DEPTH, MAX_NAMES, MAX_OBJECTS, Budget
from configsvc.store.pushtypes import parse_commit, refusal
from configsvc.store.quarantine import ObjectInfo, Quarantine
from configsvc.store.treediff import tree_entries
from configsvc.store.trees import EMPTY_TREE, TreeEntry

PathProblem = Callable[[str], str | None]
"""Tells why no file may have a path."""

_ATTRIBUTES_ID = object_id("blob", ATTRIBUTES)
_KINDS = {0o120000: "a symbolic link", 0o160000: "a submodule"}
_MAX_TOLD = 200
# Below these a path whose names are good is good.
_SHORT_PATH, _FLAT_DEPTH = 250, 12


class Scan:
    """Looks at what is new with a push.

    Args:
        path_problem: The rules for names.
        tolerated: Returns what is on main already and would not be accepted
            today: an adopted repository may hold such.
    """

    def __init__(
        self,
        objects: Quarantine,
        new: Mapping[bytes, ObjectInfo],
        budget: Budget,
        path_problem: PathProblem,
        tolerated: Callable[[], frozenset[tuple[bytes, TreeEntry]]],
    ) -> None:
        self._objects = objects
        self._new = new
        self._budget = budget
        self._path_problem = path_problem
        self._tolerated = tolerated
        self._met: set[bytes] = set()
        self._good_names: set[bytes] = set()
        self._found: list[tuple[bytes, TreeEntry, Violation]] = []

    def run(self, tips: Sequence[str]) -> None:
        """Look at all that is new and reached from `tips`.

        Raises:
            PushRefused: Something of it may not be pushed.
        """
        if not self._new:
            return
        for tip in tips:
            self._check_tip(bytes.fromhex(tip))
        roots = [self._check_commit(identity) for identity in self._new_commits(tips)]
        self._walk(roots)
        self._refuse_found()
        self._refuse_stray()

    def _check_tip(self, identity: bytes) -> None:
        """Follow a tag object to its commit."""
        kind = ""
        for _ in range(2):
            kind, content = self._objects.kind_and_content(identity)
            self._met.add(identity)
            if kind == "commit":
                return
            if kind != "tag" or not content.startswith(b"object "):
                break
            identity = bytes.fromhex(content[7:47].decode("ascii", "replace"))
        raise PushRefused(f"object {identity.hex()[:12]}: {kind} (expected: a commit, or a tag of one)")

    def _new_commits(self, tips: Sequence[str]) -> list[bytes]:
        limit = f"--max-count={MAX_OBJECTS}"
        try:
            listed = self._objects.git("rev-list", limit, *tips, "--not", "--all", "--")
        except GitFailed as error:
            self._budget.check_time()
            raise PushRefused(f"push: its history is not to be read: {error}") from error
        return [bytes.fromhex(line.decode()) for line in listed.splitlines()]

    def _check_commit(self, identity: bytes) -> bytes:
        """Return the id of a commit's tree."""
        self._budget.check_time()
        self._met.add(identity)
        commit = parse_commit(identity, self._objects.read(identity))
        shown = f"commit {identity.hex()[:12]}"
        if commit.committer_email.strip().lower() == COMMITTER.email:
            raise PushRefused(
                f"{shown}: committer {COMMITTER.email} (expected: whoever made it; that is the server's)"
            )
        if COMMITTER.email in commit.author.lower():
            raise PushRefused(
                f"{shown}: author {COMMITTER.email} (expected: whoever made it; that is the server's)"
            )
        if commit.committed_at > time.time() + MAX_CLOCK_LEAD_S:
            raise PushRefused(
                f"{shown}: committed at {commit.committed_at} (expected: not in the future; set the clock)"
            )
        return commit.tree

    def _walk(self, roots: Iterable[bytes]) -> None:
        waiting = deque((root, b"", 0) for root in dict.fromkeys(roots) if root in self._new)
        self._met.update(root for root, _, _ in waiting)
        while waiting:
            identity, prefix, depth = waiting.popleft()
            if depth > MAX_DEPTH:
                raise PushRefused(f"push: folders nested deeper than {MAX_DEPTH} (expected: <= {MAX_DEPTH})")
            for name, entry in self._entries(identity).items():
                self._check_entry(prefix, name, entry)
                # Nothing is kept of what is not new: of that a push can name millions.
                if entry.id not in self._new:
                    continue
                if entry.mode == FOLDER:
                    if entry.id not in self._met:
                        waiting.append((entry.id, prefix + name + b"/", depth + 1))
                        self._met.add(entry.id)
                    continue
                kind = self._new[entry.id].kind
                if kind != "blob":
                    raise PushRefused(
                        f"object {entry.id.hex()[:12]}: {kind} (expected: a file, as its mode says)"
                    )
                self._met.add(entry.id)

    def _entries(self, identity: bytes) -> dict[bytes, TreeEntry]:
        kind, content = self._objects.kind_and_content(identity)
        try:
            if kind != "tree":
                raise ValueError(kind)
            entries = tree_entries(content)
        except ValueError as error:
            raise PushRefused(
                f"tree {identity.hex()[:12]}: malformed (expected: as git writes one)"
            ) from error
        self._budget.spend_entries(len(entries))
        return entries

    def _check_entry(self, prefix: bytes, name: bytes, entry: TreeEntry) -> None:
        problem = self._entry_problem(name, entry)
        if problem is None and len(prefix) + len(name) <= _SHORT_PATH and prefix.count(b"/") < _FLAT_DEPTH:
            return
        path = (prefix + name).decode("utf-8", "surrogateescape")
        problem = problem or self._path_problem(path)
        if problem is not None and len(self._found) < _MAX_TOLD:
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:200]
            self._found.append((name, entry, Violation(shown, problem)))

    def _entry_problem(self, name: bytes, entry: TreeEntry) -> str | None:
        if entry.mode not in (FILE, EXECUTABLE, FOLDER):
            what = f", {_KINDS[entry.mode]}" if entry.mode in _KINDS else ""
            return f"mode: {entry.mode:06o}{what} (expected: 100644, a regular file)"
        if entry.mode == FOLDER and entry.id == EMPTY_TREE.id:
            # git keeps none; folders of folders without a file would be walked without an end.
            return "an empty folder (expected: files in it)"
        lowered = name.lower()
        if lowered == b".gitmodules":
            return "not allowed (expected: no submodules)"
        if lowered == ATTRIBUTES_FILE.encode() and entry.id != _ATTRIBUTES_ID:
            return "not allowed (expected: none but the one in the root, as `init` made it)"
        if name in self._good_names:
            return None
        problem = self._path_problem(name.decode("utf-8", "surrogateescape"))
        if problem is None:
            self._good_names.add(name)
            if len(self._good_names) > MAX_NAMES:
                raise PushRefused(
                    f"push: more than {MAX_NAMES} different names in its folders (expected: several pushes)"
                )
        return problem

    def _refuse_found(self) -> None:
        tolerated = self._tolerated() if self._found else frozenset()
        violations = [violation for name, entry, violation in self._found if (name, entry) not in tolerated]
        if violations:
            raise refusal("refused: git could do harm with these in a clone", violations)

    def _refuse_stray(self) -> None:
        """Raise for objects that nothing names and that are not there yet: they would stay for nothing."""
        stray = [identity for identity in self._new if identity not in self._met]
        if not stray:
            return
        asked = b"".join(identity.hex().encode() + b"\n" for identity in stray)
        missing = self._objects.git_without("cat-file", "--batch-check", stdin=asked).count(b" missing\n")
        if missing:
            raise PushRefused(f"push: {missing} objects that none of its commits names (expected: none)")
