"""Objects by id: memory first, then git's own `cat-file`, which stays running.

GitPython's `cat-file` pair is one pipe per `Repo` and not thread-safe, so each
is handed to one thread at a time.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from git import Repo
from git.exc import GitError, ODBError
from gitdb.exc import BadObject  # type: ignore[import-untyped]

from configsvc.core.errors import RepositoryUnusable, Unavailable
from configsvc.store.gitcommand import SETTINGS, GitFailed, git

MAX_IDLE_REPOS = 4
_COMMIT_ID = re.compile(r"[0-9a-f]{40}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}", re.ASCII)
DEFAULT_CACHE_BYTES = 32 << 20
BULK = 2000
"""Most objects that one git command is asked for."""


Answer = TypeVar("Answer")


class ObjectMissing(Unavailable):
    """An object that the history names cannot be read: the repository is damaged."""


class ObjectReader:
    """Reads blobs and trees by id.  Thread-safe.

    Args:
        root: The working tree; opened at exactly this folder.
        cache_bytes: Bytes of blobs kept in memory, least recently used out.
    """

    def __init__(self, root: Path, *, cache_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._root = root
        self._cache_bytes = cache_bytes
        self._lock = threading.Lock()  # guards the fields below
        self._idle: list[Repo] = []
        self._generation = 0
        self._cached: OrderedDict[bytes, bytes] = OrderedDict()
        self._used_bytes = 0

    @property
    def cached_bytes(self) -> int:
        """Bytes of objects kept in memory."""
        return self._used_bytes

    def read(self, identity: bytes) -> bytes:
        """Return the content of an object by its 20-byte id, past the cache.

        Raises:
            ObjectMissing: The repository does not have it.
        """
        return self._ask(identity, lambda repo: bytes(repo.odb.stream(identity).read()))

    def size(self, identity: bytes) -> int:
        """Return the size of an object in bytes, by its 20-byte id.

        Raises:
            ObjectMissing: The repository does not have it.
        """
        return self._ask(identity, lambda repo: int(repo.odb.info(identity).size))

    def _ask(self, identity: bytes, question: Callable[[Repo], Answer]) -> Answer:
        try:
            with self._repo() as repo:
                return question(repo)
        except BadObject as error:
            raise ObjectMissing(f"object {identity.hex()}: not in the repository") from error
        except (GitError, OSError, ValueError, AttributeError):
            # A `cat-file` that was killed answers with a broken pipe or an empty
            # header.  Whatever killed one may have killed all: none is used again.
            self.close()
        try:
            with self._repo() as repo:
                return question(repo)
        except (ODBError, GitError, OSError, ValueError, AttributeError) as error:
            raise ObjectMissing(f"object {identity.hex()}: {error}") from error

    def blob(self, identity: bytes) -> bytes:
        """Return a blob's bytes by its 20-byte id, from memory when it was used lately."""
        content = self.find_kept(identity)
        if content is not None:
            return content
        content = self.read(identity)
        self.keep(identity, content)
        return content

    def find_kept(self, identity: bytes) -> bytes | None:
        """Return a blob's bytes by its 20-byte id if they are in memory."""
        with self._lock:
            content = self._cached.get(identity)
            if content is not None:
                self._cached.move_to_end(identity)
            return content

    def find_tagged(self, tag: str) -> str | None:
        """Return the id of the commit that a tag names, None when there is no such tag."""
        if not _TAG.fullmatch(tag) or ".." in tag:
            return None
        try:
            found = git(
                self._root, "rev-parse", "--verify", "--end-of-options", f"refs/tags/{tag}^{{commit}}"
            )
        except GitFailed:
            return None
        return found.decode("ascii").strip()

    def blobs(
        self, identities: Iterable[bytes], *, max_bytes: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield id and bytes of many small blobs, in any order: ten times as fast as one by one.

        Args:
            max_bytes: Larger ones are left out, and not read.

        Raises:
            ObjectMissing: The repository does not have one of them.
        """
        with self._lock:
            known = {each: self._cached.get(each) for each in identities}
        missing = []
        for identity, content in known.items():
            if content is None:
                missing.append(identity)
            elif max_bytes is None or len(content) <= max_bytes:
                yield identity, content
        for start in range(0, len(missing), BULK):
            part = missing[start : start + BULK]
            yield from self._read_bulk(part if max_bytes is None else self._small(part, max_bytes))

    def _small(self, identities: list[bytes], max_bytes: int) -> list[bytes]:
        """Return those that are not larger; of one that is missing the read tells."""
        lines = self._bulk(identities, "--batch-check").splitlines()
        sizes = [line.rpartition(b" ")[2] for line in lines]
        return [
            identity
            for identity, size in zip(identities, sizes, strict=True)
            if not size.isdigit() or int(size) <= max_bytes
        ]

    def _bulk(self, identities: list[bytes], option: str) -> bytes:
        asked = b"".join(identity.hex().encode() + b"\n" for identity in identities)
        try:
            return git(self._root, "cat-file", option, "--buffer", stdin=asked) if asked else b""
        except (GitFailed, OSError) as error:
            raise ObjectMissing(f"{len(identities)} objects: {error}") from error

    def _read_bulk(self, identities: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        answer = self._bulk(identities, "--batch")
        position = 0
        for identity in identities:
            end = answer.find(b"\n", position)
            name, _, size = answer[position:end].partition(b" blob ")
            if name != identity.hex().encode() or not size.isdigit():
                raise ObjectMissing(f"object {identity.hex()}: not a blob of the repository")
            content = answer[end + 1 : end + 1 + int(size)]
            position = end + int(size) + 2
            self.keep(identity, content)
            yield identity, content

    def keep(self, identity: bytes, content: bytes) -> None:
        """Remember a blob that was just written or read."""
        if len(content) > self._cache_bytes // 8:
            return
        with self._lock:
            if identity in self._cached:
                return
            self._cached[identity] = content
            self._used_bytes += len(content)
            while self._used_bytes > self._cache_bytes:
                _, dropped = self._cached.popitem(last=False)
                self._used_bytes -= len(dropped)

    def close(self) -> None:
        """End the `cat-file` processes, those at work once they have answered; others are begun when needed.

        After a repack, too: each holds every pack that it has ever opened, so that those which are gone would
        take memory, disk, and at the end seconds until they are let go of.
        """
        with self._lock:
            idle, self._idle = self._idle, []
            self._generation += 1
        for repo in idle:
            repo.close()

    @contextmanager
    def _repo(self) -> Iterator[Repo]:
        with self._lock:
            repo, generation = self._idle.pop() if self._idle else None, self._generation
        if repo is None:
            repo = open_repo(self._root)
        usable = False
        try:
            yield repo
            usable = True
        except BadObject:
            usable = True
            raise
        finally:
            with self._lock:
                is_young = generation == self._generation
                keep = usable and is_young and len(self._idle) < MAX_IDLE_REPOS
                if keep:
                    self._idle.append(repo)
            if not keep:
                repo.close()


def is_commit_id(name: str) -> bool:
    """Return whether `name` is a whole commit id: 40 hexadecimal digits in lower case."""
    return _COMMIT_ID.fullmatch(name) is not None


def open_repo(root: Path) -> Repo:
    """Return GitPython's view of the repository at exactly `root`.

    Raises:
        RepositoryUnusable: There is no repository with a working tree there.
    """
    try:
        repo = Repo(root, search_parent_directories=False)
    except (GitError, OSError) as error:
        raise RepositoryUnusable(f"repository: {root} is none (expected: a git working tree)") from error
    if repo.bare:
        raise RepositoryUnusable(f"repository: {root} is bare (expected: one with a working tree)")
    repo.git.update_environment(**SETTINGS)
    return repo
