"""Findings of the gate: data, not exceptions, so that all are told at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing the gate refuses.

    Args:
        path: File in the repository; empty for a body that has no file yet.
        message: What was found and what was expected.
        pointer: JSON pointer (RFC 6901) into the value; empty for the whole.
        line: 1-based line in the source text; 0 when it has none.
        column: 1-based column in characters; 0 when it has none.
    """

    path: str
    message: str
    pointer: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return ": ".join(part for part in (where, self.pointer, self.message) if part)

    def as_json(self) -> dict[str, object]:
        """Return the finding as plain JSON data, without empty members."""
        members = {
            "path": self.path,
            "pointer": self.pointer,
            "line": self.line,
            "column": self.column,
            "message": self.message,
        }
        return {name: member for name, member in members.items() if member or name == "pointer"}
