"""Who pushes: one-time ids that tell a hook's question apart from another's."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator

from configsvc.access.decide import Admission
from configsvc.core.errors import PushRefused

VARIABLE = "CONFIGSVC_PUSH"
"""Environment variable by which the id of a push over HTTP reaches the hooks."""


class Pushers:
    """By which rights the pushes over HTTP are made that are under way.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_known`
        self._known: dict[str, Admission] = {}

    @contextlib.contextmanager
    def known(self, admission: Admission) -> Iterator[str]:
        """Give an id that stands for `admission` until the block ends."""
        push_id = secrets.token_urlsafe(24)
        with self._lock:
            self._known[push_id] = admission
        try:
            yield push_id
        finally:
            with self._lock:
                del self._known[push_id]

    def find(self, push_id: str) -> Admission:
        """Return by which right a push is made.

        Raises:
            PushRefused: No push of this id is under way.
        """
        with self._lock:
            admission = self._known.get(push_id)
        if admission is None:
            raise PushRefused("push: its connection is gone (expected: one that is still open)")
        return admission
