"""A push that must not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.gitdoor.plumbing import FILE, Plumber

MAIN, PROPOSAL = "refs/for/main", "refs/heads/proposal"
Make = Callable[[Plumber], str]


class Case(NamedTuple):
    """A push: what it pushes where, and words that its refusal must have."""

    make: Make
    words: str
    refs: tuple[str, ...] = (MAIN,)
    options: tuple[str, ...] = ()


def file(path: bytes, content: bytes = b"x\n", mode: str = FILE) -> Make:
    return lambda plumber: plumber.files({path: (mode, plumber.blob(content))})


def document(content: bytes, path: bytes = b"doc.json") -> Make:
    return file(path, content)


def raw_entry(mode: str, name: bytes) -> Make:
    """A tree with an entry that is written as it stands."""

    def make(plumber: Plumber) -> str:
        entries = [(each, path, id_) for path, (each, id_) in plumber.folder().items()]
        return plumber.commit(plumber.tree([*entries, (mode, name, plumber.blob("x\n"))]))

    return make
