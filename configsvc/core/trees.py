"""What a commit does to a path, in git's words."""

from __future__ import annotations

from typing import NamedTuple

FOLDER = 0o40000
FILE = 0o100644
EXECUTABLE = 0o100755
REGULAR = (FILE, EXECUTABLE)


class PathChange(NamedTuple):
    """What one path is after a change.

    Args:
        path: Relative to the repository; bytes that are not UTF-8 as lone
            surrogates (PEP 383).
        mode: git's mode after the change; None when the path is gone.
        blob_id: 20-byte id after the change; None when the path is gone, or
            the object was not made yet.
    """

    path: str
    mode: int | None
    blob_id: bytes | None
