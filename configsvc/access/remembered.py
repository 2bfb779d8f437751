"""Credentials that were admitted, remembered until the principals change or theirs is over."""

from __future__ import annotations

from configsvc.access.decide import Access, Admission
from configsvc.core.errors import Unauthorized

MAX_ADMISSIONS = 4096
"""Credentials that are remembered; all are asked for again when there are more."""


class RememberedAdmissions:
    """Asks `access` for each credential once under each of its epochs.  Thread-safe."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._known: dict[bytes | str | None, Admission] = {}

    def find(self, authorization: bytes | str | None) -> Admission | None:
        """Return by which right a request with this Authorization header is made; None: by none."""
        known = self._known.get(authorization)
        if known is not None and self._access.is_current(known):
            return known
        self._known.pop(authorization, None)
        text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
        try:
            admission = self._access.admit(text)
        except Unauthorized:
            return None
        if admission.token_sha256:  # where there are no principals, whatever was sent is not worth keeping
            if len(self._known) >= MAX_ADMISSIONS:
                self._known.clear()
            self._known[authorization] = admission
        return admission
