"""Cuts in a text: replacements by offset, collected and then made at once."""

from __future__ import annotations

import re

_SPACE = re.compile(r"(?:\s++|(?<=\s)#[^\n]*+)*+")

_COMMENTS_BELOW = re.compile(r"(?:\n *+(?=\n)|\n ++#[^\n]*+)*+")


class SurgeryFailed(Exception):
    """The text has a form that cannot be cut."""


class Cuts:
    """Replacements of parts of one text, which must not overlap.

    Its line ends are newlines.

    Args:
        takes_comments: Lines that go take indented comments below them along, which
            would become part of a block scalar above.
    """

    def __init__(self, text: str, *, takes_comments: bool = False) -> None:
        self._text = text
        self._takes_comments = takes_comments
        self._cuts: list[tuple[int, int, int, str]] = []
        self._gone = 0
        """Offset up to which the beginning of the text is removed."""

    def replace(self, start: int, end: int, new: str) -> None:
        """Replace what stands from `start` to `end`."""
        self._cuts.append((start, end, len(self._cuts), new))

    def insert(self, offset: int, new: str) -> None:
        """Insert before `offset`; later insertions at one offset come after earlier ones."""
        self.replace(offset, offset, new)

    def insert_lines(self, offset: int, lines: list[str]) -> None:
        """Insert lines below the one that `offset` is in."""
        self.insert(self.line_end(offset), "".join("\n" + line for line in lines))

    def remove_lines(self, start: int, end: int, following: int | None) -> None:
        """Remove an entry with its lines and what follows it on the last of them.

        Args:
            following: Offset of the entry right after it, if that one stays.
        """
        line_start, line_end = self._text.rfind("\n", 0, start) + 1, self.line_end(end)
        if self._takes_comments:
            below = _COMMENTS_BELOW.match(self._text, line_end)
            line_end = line_end if below is None else below.end()
        if not self._text[line_start:start].strip(" "):
            if line_start > self._gone:
                self.replace(line_start - 1, line_end, "")
            else:  # there is no line end before it to take
                self._gone = min(line_end + 1, len(self._text))
                self.replace(line_start, self._gone, "")
        elif following is not None and not self._text[line_end:following].strip(" \n"):
            self.replace(start, following, "")
        else:  # a dash stands before it
            self.replace(len(self._text[:start].rstrip(" ")), line_end, "")

    def pull_up(self, head: int, end: int, new: str) -> None:
        """Put `new` at `head` instead of what stands below its line, up to `end`."""
        self.insert(head, new)
        self.replace(self.line_end(head), end, "")

    def replace_by_lines(self, head: int, start: int, end: int, header: str, lines: list[str]) -> None:
        """Replace what stands from `start` to `end` by `header` at `head` and lines below that line."""
        text = "".join("\n" + line for line in lines)
        if "\n" in self._text[head:start]:
            self.insert(head, header)
            self.replace(self.line_end(head), self.line_end(end), text)  # a comment would end up in the lines
        else:
            self.replace(head, end, header)
            self.insert(self.line_end(end), text)

    def apply(self) -> str:
        """Return the text with all cuts made.

        Raises:
            SurgeryFailed: Two of them overlap.
        """
        parts = []
        offset = 0
        for start, end, _, new in sorted(self._cuts):
            if start < offset:
                raise SurgeryFailed("cuts overlap")
            parts += [self._text[offset:start], new]
            offset = end
        return "".join([*parts, self._text[offset:]])

    def skip_space(self, offset: int) -> int:
        """Return the offset of the next character that is no space and in no comment."""
        found = _SPACE.match(self._text, offset)
        return offset if found is None else found.end()

    def line_end(self, offset: int) -> int:
        """Return the offset of the end of the line that `offset` is in."""
        end = self._text.find("\n", offset)
        return len(self._text) if end < 0 else end

    def is_line_end(self, offset: int) -> bool:
        """Return whether nothing but spaces follows on the line."""
        return not self._text[offset : self.line_end(offset)].strip(" ")

    def column(self, offset: int) -> int:
        """Return the column of `offset`, from 0."""
        return offset - self._text.rfind("\n", 0, offset) - 1

    def gap(self, spans: list[tuple[int, int]]) -> str:
        """Return what to put between two entries in brackets, as it is put between those at `spans`."""
        if len(spans) > 1:
            between = self._text[spans[0][1] : spans[1][0]]
            if "\n" in between:
                return ",\n" + " " * self.column(spans[1][0])
        return ", "
