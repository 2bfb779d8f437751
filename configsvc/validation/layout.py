"""Which paths a repository may have, and what lives where.

People clone the repository onto ext4, APFS and NTFS, so a path has to be the same
file on all of them, and git's own folder on none.  Nothing here looks at a tree.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

from configsvc.core.names import DEVICE_NAMES, META_FOLDER, find_document, is_service

MAX_PATH_BYTES = 512
MAX_PATH_SEGMENTS = 16
MAX_SEGMENT_BYTES = 255

_CONFIG_SUFFIXES = (".json", ".yaml", ".yml")
_FOREIGN = frozenset('\\:*?"<>|')
# Unseen, or not what they seem; HFS+ drops some of these when it compares names.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# NTFS gives each long name such a second one: `git~1` is `.git` (CVE-2014-9390, CVE-2019-1353).
_SHORT_NAME = re.compile(r"[^.~]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?")


class Kind(Enum):
    """What a file of the repository is for."""

    DOCUMENT = "document"
    META = "meta"
    SCHEMA = "schema"
    PRINCIPAL = "principal"
    IGNORED = "ignored"
    MISPLACED = "misplaced"


def path_problem(path: str) -> str | None:
    """Return why no file may have this path, None when one may.

    Args:
        path: Relative, `/`-separated; bytes that are not UTF-8 as lone
            surrogates (PEP 383).
    """
    size = len(path.encode("utf-8", "surrogateescape"))
    if size > MAX_PATH_BYTES:
        return f"path: {size} bytes (expected: <= {MAX_PATH_BYTES})"
    segments = path.split("/")
    if len(segments) > MAX_PATH_SEGMENTS:
        return f"path: {len(segments)} segments (expected: <= {MAX_PATH_SEGMENTS})"
    if segments[0] != META_FOLDER and folded(segments[0]) == folded(META_FOLDER):
        return f"folder: {shown_path(segments[0])} (expected: {META_FOLDER})"
    return next((problem for problem in map(_segment_problem, segments) if problem is not None), None)


def kind_of(path: str) -> Kind:
    """Return what the file at a path without a problem is for."""
    if path.startswith(f"{META_FOLDER}/"):
        return _kind_below_meta(path.removeprefix(f"{META_FOLDER}/"))
    if path == META_FOLDER or _is_misnamed(path):
        return Kind.MISPLACED
    return Kind.IGNORED if find_document(path) is None else Kind.DOCUMENT


def misplaced_problem(path: str) -> str:
    """Return the message for a path of `Kind.MISPLACED`, with the right spelling where there is one."""
    if path == META_FOLDER or path.startswith(f"{META_FOLDER}/"):
        return (
            "place: not one of configsvc's files "
            "(expected: services/NAME.yaml, schemas/NAME.json, schemas/_default.json or principals/NAME.yaml)"
        )
    folder = next((part for part in path.split("/")[:-1] if part.lower().endswith(_CONFIG_SUFFIXES)), None)
    if folder is not None:
        return f"folder: {shown_path(folder)} (expected: a name without the extension of a document)"
    proposal = _right_spelling(path)
    return f"name: {shown_path(path)} (expected: {proposal or 'a service name and .json or .yaml'})"


def folded(name: str) -> str:
    """Return a key that is equal for names that some file system takes for one (Unicode 3.13, D145)."""
    once = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", once)


def shown_path(path: str) -> str:
    """Return a path as text that is safe to print and to encode, at most 200 characters of it."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    safe = "".join(_shown(character) for character in text[:200])
    return safe if len(text) <= 200 else safe + "..."


def _shown(character: str) -> str:
    if unicodedata.category(character) in _UNSEEN:
        return f"\\u{ord(character):04x}"
    return character


def _segment_problem(segment: str) -> str | None:
    shown = shown_path(segment)
    size = len(segment.encode("utf-8", "surrogateescape"))
    if segment in ("", ".", ".."):
        return f"path: segment '{segment}' (expected: a name)"
    if size > MAX_SEGMENT_BYTES:
        return f"name: {size} bytes (expected: <= {MAX_SEGMENT_BYTES})"
    if any(unicodedata.category(character) in _UNSEEN for character in segment):
        return f"name: {shown} (expected: UTF-8 without control or invisible characters)"
    if not _FOREIGN.isdisjoint(segment):
        return f'name: {shown} (expected: none of \\ : * ? " < > |)'
    if segment.endswith((".", " ")):
        return f"name: '{shown}' (expected: no dot or space at its end)"
    return _reserved_problem(segment)


def _reserved_problem(segment: str) -> str | None:
    shown = shown_path(segment)
    if folded(segment) == ".git":
        return f"name: {shown} (expected: not the name of git's own folder)"
    if _SHORT_NAME.fullmatch(segment):
        return f"name: {shown} (expected: not a short name of Windows)"
    if segment.partition(".")[0].rstrip(" ").lower() in DEVICE_NAMES:
        return f"name: {shown} (expected: not a device name of Windows)"
    return None


def _kind_below_meta(path: str) -> Kind:
    room, _, rest = path.partition("/")
    stem, _, extension = rest.rpartition(".")
    if room == "services" and extension == "yaml" and is_service(stem):
        return Kind.META
    if room == "principals" and extension == "yaml" and is_service(stem) and "/" not in stem:
        return Kind.PRINCIPAL
    if room == "schemas" and extension == "json" and (is_service(stem) or _is_default(stem)):
        return Kind.SCHEMA
    return Kind.MISPLACED


def _is_default(stem: str) -> bool:
    folder, _, name = stem.rpartition("/")
    return name == "_default" and (not folder or is_service(folder))


def _is_misnamed(path: str) -> bool:
    """Return whether a file looks like configuration and is nobody's document.

    Hidden files and what is below hidden folders belong to tools
    (`.github/workflows/ci.yml`, `.pre-commit-config.yaml`).
    """
    segments = path.split("/")
    if any(segment.startswith(".") for segment in segments):
        return False
    looks_like_one = any(segment.lower().endswith(_CONFIG_SUFFIXES) for segment in segments)
    return looks_like_one and find_document(path) is None


def _right_spelling(path: str) -> str | None:
    stem, _, extension = path.lower().rpartition(".")
    segments = (re.sub(r"[^a-z0-9._-]+", "-", segment).strip("._-") for segment in stem.split("/"))
    name = "/".join(segments)
    return f"{name}.{'json' if extension == 'json' else 'yaml'}" if is_service(name) else None
