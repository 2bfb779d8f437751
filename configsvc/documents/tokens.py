"""The tokens of a JSON text: how deep and how many, which stands where, and the text laid out anew.

`json.loads` recurses into what it reads and says nothing of where a key stands;
what is here works on the text alone, in one pass and without recursion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from configsvc.core.errors import DocumentInvalid
from configsvc.documents.bounds import Bounds
from configsvc.documents.source import fault_at, json_pointer, too_large

# Every repetition is possessive: without that, a text of backslashes costs sre 60 bytes for each of them.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rf'{_STRING}|[^\s"\[\]{{}}:,]++|[\[\]{{}}:,]|"', re.DOTALL)
_BRACKET = re.compile(rf'{_STRING}|[\[\]{{}}]|"', re.DOTALL)
_LAYOUT = re.compile(rf'({_STRING}|[^\s"\[\]{{}}:,]++|[\[\]{{}}])\s*+([:,]?)', re.DOTALL)
Path = list[str | int | None]
"""Keys and indexes; None stands for a key that has not come yet."""

_STEPS = {"{": 1, "[": 1, "}": -1, "]": -1, ":": 0, ",": 0}


@dataclass(slots=True)
class Place:
    """A token and where it stands.

    Args:
        offset: Of its first character.
        path: Keys and indexes that lead to it.  Changes as the walk goes on.
    """

    offset: int
    token: str
    is_key: bool
    path: Path

    @property
    def pointer(self) -> str:
        """JSON pointer of the value the token belongs to."""
        return json_pointer(self.path)


def check_shape(text: str, *, bounds: Bounds, too_many: type[DocumentInvalid] = DocumentInvalid) -> None:
    """Raise `DocumentInvalid` for a text deeper than its bounds, `too_many` for one of more nodes.

    It stops at the token that breaks the bound.  A text that is not JSON may pass.
    """
    openings = text.count("{") + text.count("[")
    at_most = 1 + openings + text.count(",") + text.count(":")
    if openings <= bounds.max_depth and at_most <= bounds.max_nodes:
        return
    depth = nodes = 0
    # Where there cannot be too many nodes, only the depth is to be found out.
    for match in (_BRACKET if at_most <= bounds.max_nodes else _TOKEN).finditer(text):
        step = _STEPS.get(match[0])
        nodes += step is None or step > 0
        depth += step or 0
        if depth > bounds.max_depth:
            raise fault_at(f"depth: {depth} (expected: <= {bounds.max_depth})", text, match.start())
        if nodes > bounds.max_nodes:
            found = fault_at(f"nodes: {nodes} (expected: <= {bounds.max_nodes})", text, match.start())
            raise too_many(found.message, found.details)
        if match[0] == '"':  # a string without an end: what follows is no token
            return


def walk(text: str) -> Iterator[Place]:
    """Yield each string, number, word and opening bracket of a JSON text; ends where it is no longer JSON."""
    path: Path = []
    expects_key = False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("{", "["):
            yield Place(match.start(), token, False, path)
            expects_key = token == "{"
            path.append(None if expects_key else 0)
        elif token == ":":
            continue
        elif token in ("}", "]", ","):
            if not path:
                return
            expects_key = _step(path, token)
        else:
            if expects_key:
                path[-1] = _key(token)
            yield Place(match.start(), token, expects_key, path)
            expects_key = False


def pointer_at(text: str, offset: int) -> str:
    """Return the JSON pointer of what stands at `offset`, as far as the text before it is JSON."""
    path: Path = []
    for place in walk(text[:offset]):
        path = place.path
    return json_pointer(path)


def lay_out(text: str, *, bounds: Bounds) -> str:
    """Return a well-formed JSON text with two-space indent, each token spelled as before.

    Raises:
        DocumentTooLarge: The indent alone is over `bounds.max_bytes`.
    """
    parts = ["", ""]  # so that a stray closing bracket finds something before it
    add = parts.append
    line = "\n"
    indent = 0
    for token, follow in _LAYOUT.findall(text):
        if token == "{" or token == "[":
            line += "  "
            add(token)
            add(line)
            indent += len(line)
            if indent > bounds.max_bytes:
                raise too_large(f"size: over {bounds.max_bytes} bytes once indented (expected: less nesting)")
            continue
        if token == "}" or token == "]":
            line = line[:-2]
            if parts[-2] == "{" or parts[-2] == "[":
                parts[-2:] = [parts[-2] + token]
            else:
                add(line + token)
        else:
            add(token)
        if follow == ",":
            add("," + line)
            indent += len(line)
        elif follow:
            add(": ")
    return "".join(parts) + "\n"


def _step(path: Path, token: str) -> bool:
    """Move `path` on over a comma or closing bracket; return whether a key comes next."""
    if token != ",":
        path.pop()
        return False
    index = path[-1]
    if isinstance(index, int):
        path[-1] = index + 1
        return False
    path[-1] = None
    return True


def _key(token: str) -> str | None:
    try:
        key = json.loads(token)
    except ValueError:
        return None
    return key if isinstance(key, str) else None
