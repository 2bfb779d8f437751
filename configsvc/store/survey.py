"""What git itself finds when it compares head, index and working files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from configsvc.store.gitcommand import git

_PATHS_PER_COMMAND = 400


def changed_paths(root: Path) -> set[str]:
    """Return the paths where head and index differ, or index and working file.

    Untracked files are not among them.

    Raises:
        GitFailed: git cannot compare them.
    """
    options = ("--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=all")
    staged = git(root, "diff-index", "--cached", *options, "HEAD")
    unstaged = git(root, "diff-files", *options)
    return {*_paths(staged), *_paths(unstaged)}


def untracked_paths(root: Path) -> set[str]:
    """Return the files that are not in the index, ignored ones included.

    Raises:
        GitFailed: git cannot look for them.
    """
    names = git(root, "ls-files", "-z", "--others").split(b"\0")
    return {name.decode("utf-8", "surrogateescape") for name in names if name and not name.endswith(b"/")}


def executable_paths(root: Path, names: Sequence[str]) -> frozenset[str]:
    """Return those of `names` that are executable files at HEAD.

    Raises:
        GitFailed: HEAD cannot be read.
    """
    found = set()
    for start in range(0, len(names), _PATHS_PER_COMMAND):
        some = names[start : start + _PATHS_PER_COMMAND]
        for record in git(root, "ls-tree", "-z", "--full-tree", "HEAD", "--", *some).split(b"\0")[:-1]:
            about, path = record.split(b"\t", 1)
            if about.startswith(b"100755 "):
                found.add(path.decode("utf-8", "surrogateescape"))
    return frozenset(found)


def _paths(raw: bytes) -> Iterator[str]:
    """Yield the paths of `--raw -z` output: `:modes ids status`, NUL, path, NUL."""
    for field in raw.split(b"\0")[1::2]:
        yield field.decode("utf-8", "surrogateescape")
