"""The state that a write's changes lead to while they are made, one on top of the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from configsvc.core.names import Format, document_path, find_document
from configsvc.store.base import Entry, View
from configsvc.store.objects import object_id


class Staged:
    """A view with edits laid over it; a `validation.conformance.DocumentTree` too.  Not thread-safe.

    Args:
        base: The state that the write lands on.
    """

    def __init__(self, base: View) -> None:
        self.base = base
        self.edits: dict[str, bytes | None] = {}
        self.size = 0  # bytes of all that was laid on top

    def stage(self, edits: dict[str, bytes | None]) -> None:
        """Lay more edits on top; None removes a file."""
        self.edits |= edits
        self.size += sum(len(data) for data in edits.values() if data is not None)

    def entry(self, service: str) -> Entry | None:
        """Return the newest version that the base has of a service, tombstones included."""
        return self.base.find(service)

    def document(self, service: str) -> tuple[Format, str] | None:
        """Return format and blob id of a service's document as it would be, None when it would have none."""
        entry = self.base.find(service)
        standing = None if entry is None or entry.format is None else (entry.format, entry.blob_id or "")
        for format_ in Format:
            path = document_path(service, format_)
            if path in self.edits:
                data = self.edits[path]
                if data is not None:
                    return format_, object_id("blob", data).hex()
                if standing is not None and standing[0] is format_:
                    standing = None
        return standing

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there would be none."""
        return self.edits[path] if path in self.edits else self.base.read(path)

    def names(self, folder: str) -> frozenset[str]:
        """Return the names that would be in a folder; "" is the root."""
        prefix = f"{folder}/" if folder else ""
        names = set(self.base.names(folder))
        for path, data in self.edits.items():
            if path.startswith(prefix):
                name = path[len(prefix) :].partition("/")[0]
                if data is not None:
                    names.add(name)
                elif prefix + name == path:
                    names.discard(name)
        return frozenset(names)

    def identity(self, path: str) -> str | None:
        """Return what is equal exactly for equal content at or below `path`."""
        below = sorted(
            (each, data) for each, data in self.edits.items() if each == path or each.startswith(f"{path}/")
        )
        standing = self.base.identity(path)
        if not below:
            return standing
        if below[0][0] == path:
            data = below[0][1]
            return None if data is None else object_id("blob", data).hex()
        digest = hashlib.sha256(repr((standing, below)).encode())
        return digest.hexdigest()

    def services(self, prefix: str = "") -> Iterator[str]:
        """Yield the services that would exist and start with `prefix`, sorted."""
        edited = {found.service for path in self.edits if (found := find_document(path)) is not None}
        standing = {name for name in self.base.services(prefix) if name not in edited}
        made = {name for name in edited if name.startswith(prefix) and self.document(name) is not None}
        yield from sorted(standing | made)
