"""The principals of one revision, found by name, token or Unix user.

A table is made from the folder's names and blob ids; of 10,000 files only those that are
not known yet are read, and one is parsed when it is first asked for.  Where a file is to be
found by a word in it, the word is searched in its text; what the parser then says counts.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import MAX_NAME_CHARS
from configsvc.core.principals import ANYONE, Principal, Token
from configsvc.documents.principals import PRINCIPAL_BOUNDS, hashes_in, parse_principal

MAX_MEMORY = 1 << 16
"""Most decisions that are remembered; more are made anew."""

_EXTENSION = ".yaml"


Read = Callable[[str], bytes]
ReadAll = Callable[[Collection[str]], Iterable[tuple[str, bytes]]]


class PrincipalFile(NamedTuple):
    """One file, and the words by which it can be found."""

    blob_id: str
    hashes: frozenset[str]
    has_user: bool


class PrincipalTable:
    """The principals of one tree.  Thread-safe: what changes in it is only what was looked up before.

    Args:
        files: Name of each file in the folder to its blob id; None when there is no folder,
            and everyone may do everything.
        read: Returns the bytes of a blob.
        blobs: Yields id and bytes of many.
        before: A table whose knowledge of the files that stayed is taken over.
    """

    def __init__(
        self,
        files: Mapping[str, str] | None,
        read: Read,
        blobs: ReadAll,
        *,
        before: PrincipalTable | None = None,
    ) -> None:
        self.is_open = files is None
        """Whether there are no principals, so that everyone may do everything."""
        self.roles: dict[tuple[str, str], int] = {}
        """What was decided, by principal and path."""
        self._read = read
        known: Mapping[str, PrincipalFile] = {} if before is None else before._files
        self._files: dict[str, PrincipalFile] = _indexed(files or {}, blobs, known)
        self._parsed: dict[str, Principal | None] = {}
        self._by_hash: dict[str, list[str]] = {}
        for name, file in self._files.items():
            for hash_ in file.hashes:
                self._by_hash.setdefault(hash_, []).append(name)
        if before is not None:
            same = (name for name, file in self._files.items() if known.get(name) is file)
            self._parsed = {name: before._parsed[name] for name in same if name in before._parsed}

    def names(self) -> list[str]:
        """Return the names of all principals, sorted."""
        return sorted(self._files)

    def find(self, name: str) -> Principal | None:
        """Return the principal of that name; None when there is none, or its file is not valid."""
        if self.is_open:
            return ANYONE if name == ANYONE.name else None
        if name in self._parsed:
            return self._parsed[name]
        file = self._files.get(name)
        if file is None:
            return None
        principal = _parse(name, self._read(file.blob_id))
        self._parsed[name] = principal
        return principal

    def find_token(self, hash_: str) -> tuple[Principal, Token] | None:
        """Return whose token has this hash, and the token; None when it is nobody's, or of two principals."""
        found = [
            (principal, token)
            for principal in map(self.find, self._by_hash.get(hash_, ()))
            if principal is not None
            for token in principal.tokens
            if hmac.compare_digest(token.sha256, hash_)
        ]
        return found[0] if len(found) == 1 else None

    def find_unix_user(self, user: str) -> Principal | None:
        """Return who a Unix user is; None for nobody, or for two principals."""
        principals = [self.find(name) for name, file in self._files.items() if file.has_user]
        found = [each for each in principals if each is not None and user and each.unix_user == user]
        return found[0] if len(found) == 1 else None

    def remember(self, key: tuple[str, str], rank: int) -> None:
        """Remember what was decided, as long as there is room; a path that is no service's is not kept."""
        if len(key[1]) > MAX_NAME_CHARS:
            return
        if len(self.roles) >= MAX_MEMORY:
            self.roles.clear()
        self.roles[key] = rank


def _indexed(
    files: Mapping[str, str], blobs: ReadAll, known: Mapping[str, PrincipalFile]
) -> dict[str, PrincipalFile]:
    """Return the files by principal; only those that are not known as they are now are read."""
    ids = {
        file_name.removesuffix(_EXTENSION): blob_id
        for file_name, blob_id in files.items()
        if file_name.endswith(_EXTENSION)
    }
    found = {name: known[name] for name, id_ in ids.items() if name in known and known[name].blob_id == id_}
    wanted = {id_ for name, id_ in ids.items() if name not in found}
    made = {id_: _index(id_, data) for id_, data in blobs(wanted)} if wanted else {}
    return {name: found[name] if name in found else made[id_] for name, id_ in ids.items()}


def _index(blob_id: str, data: bytes) -> PrincipalFile:
    """Return what a file may be found by; nothing when it is too large to be one."""
    if len(data) > PRINCIPAL_BOUNDS.max_bytes:
        return PrincipalFile(blob_id, frozenset(), has_user=False)
    return PrincipalFile(blob_id, hashes_in(data), has_user=b"unix_user" in data)


def _parse(name: str, data: bytes) -> Principal | None:
    try:
        return parse_principal(name, data)
    except DocumentInvalid:
        return None  # from before the gate: it lets nobody in
