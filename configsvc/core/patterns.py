"""Path patterns: which services a role is for.

    payments/api     this service
    payments/*       the services right below payments
    payments/**      all services below payments, at any depth
    **               all services

`*` stands for one whole segment and may be any of them; `**` for one or more and is the last.
`payments/**` is not for the service `payments` itself.  A scope, such as all that
one may list or clone, is a pattern too, so one rule serves both.
"""

from __future__ import annotations

from dataclasses import dataclass

from configsvc.core.errors import PatternInvalid
from configsvc.core.names import MAX_NAME_CHARS, MAX_SEGMENTS, is_service

ONE = "*"
REST = "**"
EVERYTHING = REST
"""The scope of all services; what concerns all of the repository needs a role on it."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern by its segments; see `parse_pattern`."""

    segments: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(self.segments)

    def covers(self, scope: str) -> bool:
        """Return whether this is for all that `scope`, a service or a pattern, is for.

        Takes one comparison a segment.
        """
        wanted = scope.split("/")
        mine = self.segments
        if mine[-1] == REST:
            mine, found = mine[:-1], wanted[: len(mine) - 1]
            is_as_long = len(wanted) > len(mine)
        else:
            found, is_as_long = wanted, len(wanted) == len(mine)
        return is_as_long and all(map(_covers_segment, mine, found))


def _covers_segment(mine: str, found: str) -> bool:
    return mine == found or (mine == ONE and found != REST)


def parse_pattern(text: str) -> PathPattern:
    """Return the pattern that `text` is.

    Raises:
        PatternInvalid: It is not in the grammar; the message says why.
    """
    problem = pattern_problem(text)
    if problem is None:
        return PathPattern(tuple(text.split("/")))
    raise PatternInvalid(f"path pattern: {problem}")


def pattern_problem(text: str) -> str | None:
    """Return why `text` is no pattern, None when it is one."""
    shown = ascii(text if len(text) <= 80 else text[:80] + "...")
    if len(text) > MAX_NAME_CHARS:
        return f"{len(text)} characters (expected: <= {MAX_NAME_CHARS})"
    segments = text.split("/")
    if len(segments) > MAX_SEGMENTS:
        return f"{len(segments)} segments (expected: <= {MAX_SEGMENTS})"
    if REST in segments[:-1]:
        return f"{shown} (expected: {REST} as the last segment only)"
    for segment in segments:
        if segment in (ONE, REST) or is_service(segment):
            continue
        if ONE in segment:
            return f"{shown} (expected: {ONE} as a whole segment, or {REST} as the last one)"
        return f"{shown} (expected: a service name, in which {ONE} or a final {REST} may be segments)"
    return None
