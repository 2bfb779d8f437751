"""Whose reads are answered without Flask: a credential that `Access` admits, while nothing changed."""

from __future__ import annotations

from collections.abc import Callable

from configsvc.access.decide import Access, Action
from configsvc.access.remembered import RememberedAdmissions
from configsvc.store.base import Snapshot


class HotReaders:
    """Asks `access`, and remembers credentials under its epoch.  Used by the event loop only.

    It says yes only where Flask would; where it cannot tell at once, it says no, and Flask decides.
    """

    def __init__(self, access: Access, snapshot: Callable[[], Snapshot]) -> None:
        self._access = access
        self._newest = snapshot
        self._admissions = RememberedAdmissions(access)

    def admits(self, authorization: bytes | None, service: str) -> bool:
        """Return whether a request with this Authorization header may read `service`."""
        standing = self._access.peek(self._newest())
        if standing is None:
            return False
        if standing.is_open:
            return True
        admission = self._admissions.find(authorization)
        return admission is not None and self._access.may(admission.principal, Action.READ, service)

    def ends_at_s(self, authorization: bytes | None) -> float:
        """Return when a credential ends that was admitted just now, see `Admission`; 0.0 if it has ended."""
        admission = self._admissions.find(authorization)
        return 0.0 if admission is None else admission.ends_at_s
