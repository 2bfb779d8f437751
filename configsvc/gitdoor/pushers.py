"""Who pushes: one-time ids that tell a hook's question apart from another's."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator

from configsvc.access.decide import Admission
from configsvc.audit import Origin
from configsvc.core.errors import PushRefused

VARIABLE = "CONFIGSVC_PUSH"
"""Environment variable by which the id of a push over HTTP reaches the hooks."""


class Pushers:
    """By which rights the pushes over HTTP are made that are under way.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_known`
        self._known: dict[str, tuple[Admission, Origin]] = {}

    @contextlib.contextmanager
    def known(self, admission: Admission, origin: Origin = Origin("git")) -> Iterator[str]:  # noqa: B008
        """Give an id that stands for `admission` until the block ends."""
        push_id = secrets.token_urlsafe(24)
        with self._lock:
            self._known[push_id] = admission, origin
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
        return self._found(push_id)[0]

    def origin(self, push_id: str) -> Origin:
        """Return where a push comes from; raises as `find`."""
        return self._found(push_id)[1]

    def _found(self, push_id: str) -> tuple[Admission, Origin]:
        with self._lock:
            found = self._known.get(push_id)
        if found is None:
            raise PushRefused("push: its connection is gone (expected: one that is still open)")
        return found
