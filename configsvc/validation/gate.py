"""The structural rules for what becomes part of the repository, judged on the tree it would lead to.

Pure functions: what is judged is only what changed, in a tree that is handed in, so
the same rules serve one write, a push, and the adoption of a whole repository.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import (
    ATTRIBUTES,
    ATTRIBUTES_FILE,
    DocumentPath,
    Format,
    document_path,
    find_document,
)
from configsvc.core.reports import Violation
from configsvc.core.trees import EXECUTABLE, FILE, FOLDER, PathChange
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import parse_document
from configsvc.documents.json import parse_json
from configsvc.documents.meta import parse_meta
from configsvc.documents.principals import parse_principal
from configsvc.documents.source import check_size
from configsvc.validation.layout import Kind, folded, kind_of, misplaced_problem, path_problem, shown_path
from configsvc.validation.principals import principal_name, principal_violations

__all__ = ["TreeReader", "judge_changes"]

_FORBIDDEN_MODES = {0o120000: "a symbolic link", 0o160000: "a submodule", FOLDER: "a folder"}
_MODULES_FILE = ".gitmodules"


class TreeReader(Protocol):
    """The tree that the changes lead to."""

    def mode(self, path: str) -> int | None:
        """Return git's mode, 0o40000 for a folder; None when nothing is there."""

    def names(self, folder: str) -> Collection[str]:
        """Return the names in a folder; "" is the root; empty when there is none."""

    def size(self, path: str) -> int:
        """Return the size in bytes of the file at `path`; asked before it is read."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the file at `path`."""


def judge_changes(
    changes: Iterable[PathChange], tree: TreeReader, *, bounds: Bounds, now_s: float | None = None
) -> list[Violation]:
    """Return all that the gate refuses, in the order of the changes; empty when it accepts them.

    What is in the tree and did not change is not judged again, except where a
    changed path collides with it, and where principals changed: those are judged together.

    Args:
        now_s: When some admin's token must not have expired yet, seconds since the epoch; None for now.
    """
    judge = _Judge(tree, bounds)
    listed = list(changes)
    violations = [violation for change in listed for violation in judge.violations(change)]
    principals = {change.path for change in listed if kind_of(change.path) is Kind.PRINCIPAL}
    if principals and not principals.intersection(violation.path for violation in violations):
        now_s = time.time() if now_s is None else now_s
        violations += principal_violations(principals, tree, now_s=now_s)
    return violations


class _Judge:
    """Judges one change after the other; remembers folders it has looked into and pairs it has told of."""

    def __init__(self, tree: TreeReader, bounds: Bounds) -> None:
        self._tree = tree
        self._bounds = bounds
        self._folders: dict[str, dict[str, list[str]]] = {}
        self._told: set[tuple[str, str]] = set()

    def violations(self, change: PathChange) -> Iterator[Violation]:
        """Yield what is wrong with one change."""
        if change.mode is None:
            if change.path == ATTRIBUTES_FILE:
                yield Violation(change.path, "removed (expected: the file as `init` made it)")
            return
        problem = path_problem(change.path) or _mode_problem(change.mode, change.path)
        if problem is not None:
            yield Violation(shown_path(change.path), problem)
            return
        for message in (*self._place_problems(change.path), *self._kind_problems(change.path)):
            yield Violation(change.path, message)
        yield from self._content_violations(change.path)

    def _place_problems(self, path: str) -> Iterator[str]:
        """Yield how a path collides with others of the tree."""
        if self._tree.mode(path) == FOLDER:
            yield "place: a folder is there too (expected: one of them)"
        folder = ""
        for name in path.split("/"):
            if folder and self._tree.mode(folder) != FOLDER:
                yield f"place: {folder} is a file (expected: a folder)"
                return
            yield from self._case_problems(folder, name)
            folder = f"{folder}/{name}" if folder else name

    def _case_problems(self, folder: str, name: str) -> Iterator[str]:
        key = folded(name)
        names = self._names(folder).get(key, [])
        if len(names) > 1 and (folder, key) not in self._told:
            self._told.add((folder, key))
            shown = ", ".join(shown_path(other) for other in names)
            yield f"name: {shown} are one name where case does not count (expected: one of them)"

    def _names(self, folder: str) -> dict[str, list[str]]:
        found = self._folders.get(folder)
        if found is None:
            found = self._folders[folder] = {}
            for name in sorted(self._tree.names(folder)):
                found.setdefault(folded(name), []).append(name)
        return found

    def _kind_problems(self, path: str) -> Iterator[str]:
        kind = kind_of(path)
        if kind is Kind.MISPLACED:
            yield misplaced_problem(path)
        document = find_document(path)
        if kind is Kind.DOCUMENT and document is not None:
            yield from self._twin_problems(document)

    def _twin_problems(self, document: DocumentPath) -> Iterator[str]:
        other = Format.YAML if document.format is Format.JSON else Format.JSON
        twin = document_path(document.service, other)
        if self._tree.mode(twin) is not None and (document.service, "") not in self._told:
            self._told.add((document.service, ""))
            yield f"place: {twin} is there too (expected: one file for one service)"

    def _content_violations(self, path: str) -> Iterator[Violation]:
        name = folded(path.rpartition("/")[2])
        if name == ATTRIBUTES_FILE and not self._is_shipped(path):
            yield Violation(path, "not allowed (expected: none but the one in the root, as `init` made it)")
        if name == _MODULES_FILE:
            yield Violation(path, "not allowed (expected: no submodules)")
        check = self._check(path)
        if check is None:
            return
        try:
            check_size(self._tree.size(path), bounds=self._bounds)
            check(self._tree.read(path))
        except DocumentInvalid as error:
            yield from _placed(path, error)

    def _is_shipped(self, path: str) -> bool:
        is_small = path == ATTRIBUTES_FILE and self._tree.size(path) == len(ATTRIBUTES)
        return is_small and self._tree.read(path) == ATTRIBUTES

    def _check(self, path: str) -> Callable[[bytes], object] | None:
        """Return what raises `DocumentInvalid` for bytes that may not be at `path`."""
        kind, bounds = kind_of(path), self._bounds
        document = find_document(path)
        if kind is Kind.DOCUMENT and document is not None:
            return lambda data: parse_document(data, document.format, bounds=bounds)
        if kind is Kind.META:
            return parse_meta
        if kind is Kind.SCHEMA:
            return lambda data: parse_json(data, bounds=bounds)
        if kind is Kind.PRINCIPAL:
            return lambda data: parse_principal(principal_name(path), data)
        return None


def _mode_problem(mode: int, path: str) -> str | None:
    is_free = kind_of(path) is Kind.IGNORED and folded(path) != ATTRIBUTES_FILE
    if mode == FILE or (mode == EXECUTABLE and is_free):
        return None
    if mode in _FORBIDDEN_MODES:
        return f"mode: {mode:06o}, {_FORBIDDEN_MODES[mode]} (expected: 100644, a regular file)"
    return f"mode: {mode:06o} (expected: 100644{' or 100755' if is_free else ''})"


def _placed(path: str, error: DocumentInvalid) -> Iterator[Violation]:
    """Yield the violations that a parser found, with the file they are in."""
    for detail in error.details:
        line, column = (detail.get(name, 0) for name in ("line", "column"))
        yield Violation(
            path,
            str(detail["message"]),
            str(detail.get("pointer", "")),
            line if isinstance(line, int) else 0,
            column if isinstance(column, int) else 0,
        )
