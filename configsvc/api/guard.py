"""Who asks, and whether they may: before a route looks anything up.

Every request is admitted before its route runs, and a route asks `require` with the path it is
about. One that answers without having asked is a mistake of ours, and its answer is withheld.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from flask import Flask, Response, g, request

from configsvc.access.decide import Access, Action, Admission
from configsvc.api.access_log import PRINCIPAL
from configsvc.api.problems import http_problem, render
from configsvc.core.errors import Forbidden, Unauthorized
from configsvc.core.patterns import EVERYTHING, ONE
from configsvc.service import ConfigService

PUBLIC_ENDPOINTS = frozenset(
    {
        "health.liveness",
        "health.readiness",
        "root.root",
        "reference.contract",
        "reference.page",
        "reference.page_file",
    }
)
"""Routes that need no credential; what they tell without one is in them."""

_log = logging.getLogger("configsvc.api")


def install_guard(
    app: Flask, access: Access, service: ConfigService, *, more_public: Collection[str] = ()
) -> None:
    """Admit every request of `app` before its route, and hold the routes to asking.

    Args:
        more_public: Endpoints that need no credential besides `PUBLIC_ENDPOINTS`.
    """
    public = PUBLIC_ENDPOINTS | set(more_public)

    @app.before_request
    def admit() -> None:
        g.access, g.service, g.admission, g.has_asked = access, service, None, False
        try:
            g.admission = access.admit(request.headers.get("Authorization"))
            if g.admission.token_sha256:
                request.environ[PRINCIPAL] = g.admission.principal.name
        except Unauthorized:
            if request.endpoint not in public:
                raise

    @app.after_request
    def withhold(response: Response) -> Response:
        is_public = request.endpoint is None or request.endpoint in public
        if response.status_code >= 400 or is_public or request.method == "OPTIONS" or g.get("has_asked"):
            return response
        _log.error("route %s answered without asking who may see it", request.endpoint)
        refusal = render(http_problem(500), request.path)
        return Response(refusal.body, status=refusal.status, headers=list(refusal.headers))


def admission() -> Admission:
    """Return by which right this request is made.

    Raises:
        Unauthorized: It carries no credential that is valid.
    """
    found = g.admission
    if not isinstance(found, Admission):
        raise Unauthorized("credential: none (expected: Authorization with a token of a principal)")
    return found


def admit_again() -> None:
    """Ask again for the right of a request that has waited, if it may have changed meanwhile.

    Raises:
        Unauthorized: Its credential is valid no longer.
    """
    if not g.access.is_current(admission()):
        g.admission = g.access.admit(request.headers.get("Authorization"))


def admission_of_write() -> Admission:
    """Return by which right a write is made; its rights are asked where it is planned.

    Raises:
        Unauthorized: See `admission`.
    """
    g.has_asked = True
    return admission()


def require(action: Action, path: str) -> None:
    """Raise unless this request may do `action` on `path`; see `Access.require`."""
    g.has_asked = True
    principal = admission().principal
    g.access.require(principal, action, path, owner=lambda: _owner(path))


def require_writer() -> None:
    """Raise unless this request may write something, for a body that first says what it is about.

    Raises:
        Forbidden: It may not.
    """
    principal = admission().principal
    if not g.access.may_somewhere(principal, Action.WRITE):
        raise Forbidden(
            f"body: {principal.name} may write nothing (expected: the role writer on what it changes)"
        )


def may(action: Action, path: str) -> bool:
    """Return whether this request may do `action` on `path`: for lists, and for what is told besides."""
    g.has_asked = True
    found = g.admission
    return isinstance(found, Admission) and bool(g.access.may(found.principal, action, path))


@contextmanager
def comparing() -> Iterator[None]:
    """Have a turn at what takes a second and much memory, within this block.

    Raises:
        QueueFull: Too many wait for one already, or too many of this principal.
    """
    service: ConfigService = g.service
    with service.comparing.taken(asker()):
        yield


def asker() -> str | None:
    """Return on whose behalf a request takes what is shared fairly; None where everybody is anyone."""
    return admission().asker


def require_somewhere(action: Action) -> None:
    """Raise `Forbidden` unless this request may do `action` on anything at all."""
    principal = admission().principal
    if not g.access.may_somewhere(principal, action):
        expected = f"the role {action.value} on something"
        raise Forbidden(f"the repository: {principal.name} may not change it (expected: {expected})")


def _owner(path: str) -> str:
    if path == EVERYTHING or ONE in path:
        return ""
    service: ConfigService = g.service
    return service.meta(service.snapshot(), path).owner
