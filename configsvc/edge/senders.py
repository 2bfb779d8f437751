"""Who sends a body: asked before a byte of it is read, so that what strangers send costs nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NoReturn

from configsvc.access.decide import Access
from configsvc.access.rates import client_group
from configsvc.core.errors import Unauthorized
from configsvc.edge.asgi_types import Scope, client_address, sent_value

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Senders:
    """Tells senders of bodies apart: by principal, and by address where there are none.

    Args:
        access: Asked whether a credential is valid; None: nobody needs one.
    """

    def __init__(self, access: Access | None) -> None:
        self._access = access

    def admit(self, scope: Scope) -> str:
        """Return the name of who sends a request, that of no other sender.

        Raises:
            Unauthorized: It carries no credential that is valid.
        """
        if self._access is not None:
            admission = self._access.admit(sent_value(scope, b"authorization"))
            if admission.token_sha256:
                return f"principal {admission.principal.name}"
        return f"address {client_group(client_address(scope))}"


class WithheldBody(io.RawIOBase):
    """The body of a request that nobody was admitted by: who reads it is told `refusal`."""

    def __init__(self, refusal: Unauthorized) -> None:
        self._refusal = refusal

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, _target: WriteableBuffer, /) -> NoReturn:
        """Raise `Unauthorized`."""
        raise self._refusal
