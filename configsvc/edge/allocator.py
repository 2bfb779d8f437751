"""Where Python puts its small objects while there are many connections.

Python's own allocator works in pieces of a megabyte, and one small object
that lives on holds each of them: of what ten thousand waiting clients needed,
half stayed when they had gone.  The C library's gives back page by page, but
costs five to ten per cent of a write, so that it is used while there is a
crowd alone.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig

_RAW, _MEM, _OBJ = range(3)  # PyMemAllocatorDomain
_KNOWN = ((3, 11), (3, 14))


class _Allocator(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]


class CrowdAllocator:
    """Has new small objects allocated by the C library, or by Python again.

    What frees and resizes stays Python's own at any time: it takes what is none
    of its pieces to be the C library's, as it does with every object of more
    than 512 bytes.  So this wraps the allocator that is there, which
    docs.python.org/3/c-api/memory.html (`PyMem_SetAllocator`) asks for.

    Where Python's allocator is another one, by `PYTHONMALLOC` or as it was
    built, or is not known to work so, nothing is ever changed.
    """

    def __init__(self) -> None:
        self._own: dict[int, _Allocator] = {}
        self._libc: dict[int, _Allocator] = {}
        if not _is_known():
            return
        raw = _get(_RAW)
        for domain in (_MEM, _OBJ):
            own = _get(domain)
            # A context is that of debug hooks or of tracemalloc, who count on seeing every block.
            if raw.ctx or own.ctx or own.malloc == raw.malloc:
                continue
            self._own[domain] = own
            self._libc[domain] = _Allocator(None, raw.malloc, raw.calloc, own.realloc, own.free)

    def use_libc(self, is_used: bool) -> bool:
        """Choose who allocates from now on; return whether it is the C library."""
        before, after = (self._own, self._libc) if is_used else (self._libc, self._own)
        for domain, allocator in after.items():
            if bytes(_get(domain)) == bytes(before[domain]):  # else someone else has set theirs since
                _set(domain, allocator)
        return is_used and bool(after)


def _is_known() -> bool:
    return (
        sys.implementation.name == "cpython"
        and _KNOWN[0] <= sys.version_info < _KNOWN[1]
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
    )


def _get(domain: int) -> _Allocator:
    allocator = _Allocator()
    ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(allocator))
    return allocator


def _set(domain: int, allocator: _Allocator) -> None:
    # `pythonapi` keeps the GIL, without which nobody allocates in these domains.
    ctypes.pythonapi.PyMem_SetAllocator(domain, ctypes.byref(allocator))
