"""Who a request comes from, and whether it is one too many: asked once, before anyone answers it."""

from __future__ import annotations

from configsvc.access.rates import RateLimits
from configsvc.api.problems import problem_of
from configsvc.api.rates import COUNTED, is_counted_path
from configsvc.core.errors import RateExceeded
from configsvc.edge.asgi_types import Scope, sent_value
from configsvc.edge.refusals import Refused
from configsvc.edge.request_body import stated_length


class Limiting:
    """Counts the requests that reach the edge, on behalf of all who answer them."""

    def __init__(self, rates: RateLimits) -> None:
        self._rates = rates

    def check(self, scope: Scope) -> None:
        """Put the client's address into `scope`, and count the request; a second time nothing is done.

        Raises:
            Refused: It is one too many.
        """
        if COUNTED in scope:
            return
        scope[COUNTED] = True
        peer, port = scope.get("client") or ("", 0)
        address = self._rates.client_of(peer, sent_value(scope, b"x-forwarded-for") or "")
        scope["client"] = (address, port)
        if is_counted_path(scope["path"]):
            try:
                self._rates.check(address, sent_value(scope, b"authorization"))
            except RateExceeded as error:
                is_read = stated_length(scope["headers"]) == 0
                raise Refused(problem_of(error), is_read=is_read) from error
