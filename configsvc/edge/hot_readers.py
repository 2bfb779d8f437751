"""Whose reads are answered without Flask: a credential that `Access` admits, while nothing changed."""

from __future__ import annotations

from collections.abc import Callable

from configsvc.access.decide import Access, Action, Admission
from configsvc.core.errors import Unauthorized
from configsvc.core.principals import NEVER_S
from configsvc.store.base import Snapshot

MAX_ADMISSIONS = 4096
"""Credentials that are remembered; all are asked for again when there are more."""


class HotReaders:
    """Asks `access`, and remembers credentials under its epoch.  Used by the event loop only.

    It says yes only where Flask would; where it cannot tell at once, it says no, and Flask decides.
    """

    def __init__(self, access: Access, snapshot: Callable[[], Snapshot]) -> None:
        self._access = access
        self._newest = snapshot
        self._admissions: dict[bytes | None, Admission] = {}

    def admits(self, authorization: bytes | None, service: str) -> bool:
        """Return whether a request with this Authorization header may read `service`."""
        standing = self._access.peek(self._newest())
        if standing is None:
            return False
        if standing.is_open:
            return True
        admission = self._admissions.get(authorization)
        if admission is None or not self._access.is_current(admission):
            admission = self._admit(authorization)
        return admission is not None and self._access.may(admission.principal, Action.READ, service)

    def ends_at_s(self, authorization: bytes | None) -> float:
        """Return when a credential ends that was admitted just now; see `Admission`."""
        admission = self._admissions.get(authorization)
        return NEVER_S if admission is None else admission.ends_at_s

    def _admit(self, authorization: bytes | None) -> Admission | None:
        self._admissions.pop(authorization, None)
        try:
            text = None if authorization is None else authorization.decode("latin-1")
            admission = self._access.admit(text)
        except Unauthorized:
            return None
        if len(self._admissions) >= MAX_ADMISSIONS:
            self._admissions.clear()
        self._admissions[authorization] = admission
        return admission
