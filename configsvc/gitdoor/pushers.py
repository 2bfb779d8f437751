"""Who pushes: one-time ids that tell a hook's question apart from another's."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator

from configsvc.core.changes import Author
from configsvc.core.errors import PushRefused

VARIABLE = "CONFIGSVC_PUSH"
"""Environment variable by which the id of a push over HTTP reaches the hooks."""


class Pushers:
    """Principals of the pushes over HTTP that are under way.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_known`
        self._known: dict[str, Author] = {}

    @contextlib.contextmanager
    def known(self, principal: Author) -> Iterator[str]:
        """Give an id that stands for `principal` until the block ends."""
        push_id = secrets.token_urlsafe(24)
        with self._lock:
            self._known[push_id] = principal
        try:
            yield push_id
        finally:
            with self._lock:
                del self._known[push_id]

    def find(self, push_id: str, unix_user: Author) -> Author:
        """Return who pushes: without an id it is the Unix user that the kernel named.

        Raises:
            PushRefused: No push of this id is under way.
        """
        if not push_id:
            return unix_user
        with self._lock:
            principal = self._known.get(push_id)
        if principal is None:
            raise PushRefused("push: its connection is gone (expected: one that is still open)")
        return principal
