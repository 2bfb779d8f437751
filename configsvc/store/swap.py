"""Two renames that Python does not have: exchange two files, and move without overwriting.

Source: renameat2(2).  Both are atomic, which is what makes it possible to
replace a file and then still find out what it was that was replaced.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable

_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_UNSUPPORTED = frozenset([errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])

Place = tuple[int, bytes]
"""A name in a folder: the folder's descriptor, and the name."""


class SwapUnsupported(Exception):
    """This system or this file system cannot do it."""


def exchange(one: Place, other: Place) -> None:
    """Let two files, of any kind, take each other's place.

    Raises:
        SwapUnsupported: It cannot be done here.
        OSError: One of them is missing, or may not be moved.
    """
    _rename(one, other, _RENAME_EXCHANGE)


def move_new(source: Place, target: Place) -> None:
    """Move a file to a name that is free.

    Raises:
        FileExistsError: The name is taken.
    """
    try:
        _rename(source, target, _RENAME_NOREPLACE)
    except SwapUnsupported:
        os.link(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0], follow_symlinks=False)
        os.unlink(source[1], dir_fd=source[0])


def _rename(source: Place, target: Place, flags: int) -> None:
    if _renameat2 is None:
        raise SwapUnsupported("renameat2: not in the C library")
    if _renameat2(*source, *target, flags) == 0:
        return
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        raise SwapUnsupported(f"renameat2: {os.strerror(number)}")
    raise OSError(number, os.strerror(number), os.fsdecode(target[1]))


def _load() -> Callable[..., int] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    function.restype = ctypes.c_int
    loaded: Callable[..., int] = function
    return loaded


_renameat2 = _load()
