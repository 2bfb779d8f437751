"""`configsvc check`: what the gate says of a working tree or of commits; no server, nothing written."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from configsvc.core.changes import ANONYMOUS
from configsvc.core.errors import PushRefused, RequestInvalid
from configsvc.core.reports import Violation
from configsvc.core.trees import EXECUTABLE, FILE, FOLDER, PathChange
from configsvc.store.gitcommand import GitFailed, git
from configsvc.store.landing import Judge, deletion_violations
from configsvc.store.objects import object_id
from configsvc.store.pushbounds import Budget
from configsvc.store.pushes import StoredObjects
from configsvc.store.pushtypes import EVERY_REF, LANDING_REF, Pusher, parse_commit
from configsvc.store.reader import ObjectReader
from configsvc.store.state import Head
from configsvc.store.steptree import Gate, StepTree
from configsvc.store.trees import Tree

CHECK_S = 3600.0
_SYMLINK, _SUBMODULE = 0o120000, 0o160000
_NO_BLOB = bytes(20)


@dataclass(frozen=True)
class Findings:
    """What the gate refuses, and how many files it looked at."""

    violations: tuple[Violation, ...]
    files: int


def check_files(root: Path, gate: Gate) -> Findings:
    """Return what the gate says of all files of a working tree, committed or not, but for those git ignores.

    What HEAD has and the tree has not is judged as removed.

    Raises:
        RequestInvalid: `root` is no git working tree.
    """
    try:
        listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    except GitFailed as error:
        raise RequestInvalid(f"{root}: {error} (expected: a git working tree)") from error
    files = WorkingFiles(root)
    changes = [change for path in sorted(listed.split(b"\0")[:-1]) if (change := files.add(path)) is not None]
    tree = StepTree(files.root(), files)
    removed = _removed(root, {change.path for change in changes})
    violations = gate([*changes, *removed], tree)
    return Findings((*violations, *_deletions(root, removed, tree)), len(changes))


def check_commits(root: Path, base: str, tip: str, gate: Gate) -> Findings:
    """Return what the gate would say if commit `tip` were pushed to land on commit `base`.

    Raises:
        RequestInvalid: There are no such commits.
    """
    reader = ObjectReader(root)
    try:
        objects = StoredObjects(root, reader, Budget(seconds=CHECK_S, cpu_s=CHECK_S))
        commit_id, tip_id = _commit_id(root, base), _commit_id(root, tip)
        head = parse_commit(bytes.fromhex(commit_id), objects.read(bytes.fromhex(commit_id)))
        tree = Tree(objects.read(head.tree), head.tree)
        anyone = Pusher(ANONYMOUS, lambda changes, before: (), EVERY_REF)
        judge = Judge(gate, anyone, objects, Budget(seconds=CHECK_S, cpu_s=CHECK_S))
        judged = judge.judge(tip_id, LANDING_REF, Head(0, commit_id, head.committed_at, tree))
    except PushRefused as error:
        return Findings(tuple(_violations(error)), 0)
    finally:
        reader.close()
    return Findings((), len(judged.changes) if judged is not None else 0)


def _removed(root: Path, present: Collection[str]) -> list[PathChange]:
    """Return the files of HEAD that are not there any more."""
    try:
        listed = git(root, "ls-tree", "-r", "-z", "--full-tree", "--name-only", "HEAD")
    except GitFailed:
        return []  # nothing is committed yet
    paths = [path.decode("utf-8", "surrogateescape") for path in listed.split(b"\0")[:-1]]
    return [PathChange(path, None, None) for path in paths if path not in present]


def _deletions(root: Path, removed: Sequence[PathChange], after: StepTree) -> list[Violation]:
    if not removed:
        return []
    reader = ObjectReader(root)
    try:
        tree_id = bytes.fromhex(git(root, "rev-parse", "HEAD^{tree}").decode().strip())
        before = StepTree(Tree(reader.read(tree_id), tree_id), reader)
        return list(deletion_violations(removed, before, after))
    finally:
        reader.close()


class _Folder:
    """A folder on its way to become a tree."""

    def __init__(self) -> None:
        self.folders: dict[bytes, _Folder] = {}
        self.files: dict[bytes, tuple[int, bytes]] = {}


class WorkingFiles:
    """Files on disk as git objects, whose contents are read when they are asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = _Folder()
        self._places: dict[bytes, Path] = {}
        self._trees: dict[bytes, bytes] = {}

    def add(self, path: bytes) -> PathChange | None:
        """Take a file in and return it as a change; None when it is gone from disk.

        Raises:
            RequestInvalid: It cannot be read.
        """
        path = path.rstrip(b"/")  # a repository in the repository ends in one
        place = self._root / os.fsdecode(path)
        try:
            mode = _mode(place)
            blob_id = _NO_BLOB if mode == _SUBMODULE else object_id("blob", _content(place))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RequestInvalid(f"{place}: {error.strerror} (expected: a file that can be read)") from error
        self._places[blob_id] = place
        *above, name = path.split(b"/")
        folder = self._top
        for part in above:
            folder = folder.folders.setdefault(part, _Folder())
        folder.files[name] = (mode, blob_id)
        return PathChange(path.decode("utf-8", "surrogateescape"), mode, blob_id)

    def root(self) -> Tree:
        """Return the tree of all files."""
        identity = self._seal(self._top)
        return Tree(self._trees[identity], identity)

    def read(self, identity: bytes) -> bytes:
        """Return the content of a folder or a file by its 20-byte id."""
        tree = self._trees.get(identity)
        return _content(self._places[identity]) if tree is None else tree

    def size(self, identity: bytes) -> int:
        """Return the size of a folder or a file in bytes."""
        tree = self._trees.get(identity)
        return self._places[identity].lstat().st_size if tree is None else len(tree)

    def _seal(self, folder: _Folder) -> bytes:
        entries = [(name, mode, blob_id) for name, (mode, blob_id) in folder.files.items()]
        entries += [(name, FOLDER, self._seal(below)) for name, below in folder.folders.items()]
        entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == FOLDER else b""))
        raw = b"".join(b"%o %s\0%s" % (mode, name, identity) for name, mode, identity in entries)
        identity = object_id("tree", raw)
        self._trees[identity] = raw
        return identity


def _mode(place: Path) -> int:
    """Return the mode that git would give a file."""
    found = place.lstat().st_mode
    if stat.S_ISLNK(found):
        return _SYMLINK
    if stat.S_ISDIR(found):
        return _SUBMODULE
    return EXECUTABLE if found & stat.S_IXUSR else FILE


def _content(place: Path) -> bytes:
    return os.fsencode(os.readlink(place)) if place.is_symlink() else place.read_bytes()


def _commit_id(root: Path, name: str) -> str:
    try:
        found = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except GitFailed as error:
        raise RequestInvalid(f"commit: {name!a} (expected: a commit of {root})") from error
    return found.decode().strip()


def _violations(error: PushRefused) -> Iterator[Violation]:
    """Yield what a refusal has found; its message when it has no findings."""
    if not error.details:
        yield Violation("", error.message)
    for detail in error.details:
        texts = {name: str(detail.get(name, "")) for name in ("path", "message", "pointer")}
        line, column = (detail.get(name, 0) for name in ("line", "column"))
        yield Violation(
            **texts,
            line=line if isinstance(line, int) else 0,
            column=column if isinstance(column, int) else 0,
        )
