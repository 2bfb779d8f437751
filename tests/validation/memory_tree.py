"""A tree in memory, as the gate reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from configsvc.core.trees import FILE, FOLDER, PathChange


@dataclass
class MemoryTree:
    """Files by path; folders are what the paths imply.

    Args:
        modes: Of the paths that are not 100644.
        asked: Paths whose content was asked for.
    """

    files: Mapping[str, bytes]
    modes: Mapping[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def mode(self, path: str) -> int | None:
        if path in self.files:
            return self.modes.get(path, FILE)
        return FOLDER if self.names(path) else None

    def names(self, folder: str) -> Collection[str]:
        prefix = f"{folder}/" if folder else ""
        return {path[len(prefix) :].split("/")[0] for path in self.files if path.startswith(prefix)}

    def size(self, path: str) -> int:
        return len(self.files[path])

    def read(self, path: str) -> bytes:
        self.asked.append(path)
        return self.files[path]

    def changes(self) -> list[PathChange]:
        """Return the changes that make this tree from nothing."""
        return [PathChange(path, self.modes.get(path, FILE), bytes(20)) for path in self.files]
