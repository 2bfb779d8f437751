"""Service names, and which file of the repository belongs to which service.

The grammar is one for the API, pushes and the command line.  It is safe on
ext4, APFS and NTFS, because people clone the repository onto all of them.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from configsvc.core.errors import NameInvalid

MAX_SEGMENT_CHARS = 100
MAX_SEGMENTS = 8
MAX_NAME_CHARS = 200

META_FOLDER = ".configsvc"
PRINCIPALS_FOLDER = ".configsvc/principals"
ATTRIBUTES_FILE = ".gitattributes"
ATTRIBUTES = b"* text=auto eol=lf\n"
"""The only content that the repository's `.gitattributes` may have."""

RESERVED_PRINCIPALS = frozenset(("anonymous", "configsvc"))
"""What git's history calls those who are no principal."""

_SEGMENT = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.ASCII)
_RESERVED_SUFFIXES = (".json", ".yaml", ".yml", ".git", ".lock")
# Microsoft, "Naming Files, Paths, and Namespaces": reserved with any extension too.
DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789\xb9\xb2\xb3"]
)
_GRAMMAR = "segments of a-z 0-9 . _ -, starting and ending with a letter or digit"


class Format(Enum):
    """How a document is written; the value is the file's extension."""

    JSON = "json"
    YAML = "yaml"

    # There is one of each, so its identity does; Enum's own is Python, called ten times for each
    # commit of a history that is read.
    __hash__ = object.__hash__


class DocumentPath(NamedTuple):
    """A path that holds the document of `service`."""

    service: str
    format: Format


def parse_service(name: str) -> str:
    """Return `name` when it is a service name.

    Args:
        name: Decoded once; `/` separates segments.

    Raises:
        NameInvalid: The name is not in the grammar; the message says why.
    """
    problem = _name_problem(name)
    if problem is None:
        return name
    raise NameInvalid(f"service: {_shown(name)} {problem}")


def is_service(name: str) -> bool:
    """Return whether `name` is in the grammar."""
    return _name_problem(name) is None


def document_path(service: str, format_: Format) -> str:
    """Return the path, relative to the repository, of a service's file."""
    return f"{service}.{format_.value}"


def meta_path(service: str) -> str:
    """Return the path of the file that holds enabled, owner and description."""
    return f"{META_FOLDER}/services/{service}.yaml"


def principal_path(name: str) -> str:
    """Return the path of the file that says what a principal may do."""
    return f"{PRINCIPALS_FOLDER}/{name}.yaml"


def parse_principal_name(name: str) -> str:
    """Return `name` when a principal may have it: one segment of a service name, and not one of ours.

    Raises:
        NameInvalid: The message says why it may not.
    """
    problem = _name_problem(name)
    if problem is None and "/" in name:
        problem = "has a / (expected: one segment)"
    if problem is None and name in RESERVED_PRINCIPALS:
        problem = "is a name of the server's own (expected: another one)"
    if problem is None:
        return name
    raise NameInvalid(f"principal: {_shown(name)} {problem}".replace("a service name", "a name"))


@lru_cache(maxsize=16_384)
def find_document(path: str) -> DocumentPath | None:
    """Return which service's document lives at `path`, or None.

    Files below dot-folders, and files whose name is not in the grammar, are
    nobody's document.
    """
    stem, dot, extension = path.rpartition(".")
    if not dot or extension not in ("json", "yaml") or not is_service(stem):
        return None
    return DocumentPath(stem, Format(extension))


def _name_problem(name: str) -> str | None:
    if not name:
        return "is empty (expected: a service name)"
    if len(name) > MAX_NAME_CHARS:
        return f"has {len(name)} characters (expected: <= {MAX_NAME_CHARS})"
    segments = name.split("/")
    if len(segments) > MAX_SEGMENTS:
        return f"has {len(segments)} segments (expected: <= {MAX_SEGMENTS})"
    for segment in segments:
        problem = _segment_problem(segment)
        if problem is not None:
            return problem
    return None


def _segment_problem(segment: str) -> str | None:
    if not _SEGMENT.fullmatch(segment):
        return f"is not a service name (expected: {_GRAMMAR})"
    if len(segment) > MAX_SEGMENT_CHARS:
        return f"has a segment of {len(segment)} characters (expected: <= {MAX_SEGMENT_CHARS})"
    if segment.endswith(_RESERVED_SUFFIXES):
        return f"has a segment that ends in {segment[segment.rindex('.') :]} (expected: no file extension)"
    if segment.partition(".")[0] in DEVICE_NAMES:
        return f"has the Windows device name {segment!r} as a segment (expected: another name)"
    return None


def _shown(name: str) -> str:
    text = name if len(name) <= 80 else name[:80] + "..."
    return ascii(text)
