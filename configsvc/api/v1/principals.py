"""`/api/v1/principals`: who may do what, for those who administer everything.

What comes in is the hash of a token; its text never leaves whoever made it, so no answer, log or
proxy on the way has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from flask import Response, request

from configsvc.access import requests
from configsvc.access.administration import TAG_KIND, PrincipalBook, principal_names
from configsvc.access.decide import Action
from configsvc.api.asks import read_ask
from configsvc.api.conditional import write_precondition
from configsvc.api.guard import require
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import answer, page_of, previewed, read_answer, to_json
from configsvc.api.v1.bodies import as_members, check_known, needed, read_members, text_member
from configsvc.api.v1.listing import NamePage
from configsvc.api.v1.negotiation import JSON, choose
from configsvc.api.v1.paths import PREFIX
from configsvc.core.changes import Outcome, Plan
from configsvc.core.errors import RequestInvalid
from configsvc.core.names import parse_principal_name, principal_path
from configsvc.core.patterns import EVERYTHING
from configsvc.core.principals import format_time
from configsvc.core.tags import file_tag
from configsvc.service import ConfigService, Receipt
from configsvc.store.base import Snapshot, View

DEFAULT_OVERLAP_S = 7 * 86_400
TOKEN_MEMBERS = ("sha256", "created", "expires")

_KIND = "principals"

Members = Mapping[str, object]
Change = Callable[[PrincipalBook, Members], Outcome]


class PrincipalsApi:
    """The list of principals, the verbs of one, and its tokens."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def list_principals(self) -> Response:
        """Answer a page of principals, in the order of their names."""
        require(Action.ADMINISTER, EVERYTHING)
        page = NamePage(_KIND, Query(request.query_string, ("limit", "cursor")))
        snapshot = self._service.snapshot()
        names, following = page.take(name for name in principal_names(snapshot) if name > page.after)
        items = [requests.shown(snapshot, name) for name in names]
        return read_answer(
            page_of({"revision": snapshot.revision}, items, following), JSON, snapshot.revision
        )

    def get(self, name: str) -> Response:
        """Answer roles, and the ids of tokens."""
        require(Action.ADMINISTER, EVERYTHING)
        Query(request.query_string, ())
        choose([JSON])
        snapshot = self._service.snapshot()
        told = requests.shown(snapshot, parse_principal_name(name))
        return read_answer(to_json(told), JSON, snapshot.revision, tag=_tag(snapshot, name))

    def post(self) -> Response:
        """Make a principal."""
        require(Action.ADMINISTER, EVERYTHING)
        members = _members(("name", "roles", "token", *requests.TEXTS))
        name = needed("name", text_member(members, "name"))
        response = self._changed(requests.create, members, name)
        if response.status_code == 201:
            response.headers["Location"] = f"{PREFIX}/principals/{name}"
        return response

    def rotate(self, name: str) -> Response:
        """Give a principal another token."""
        require(Action.ADMINISTER, EVERYTHING)
        members = {"overlap_s": DEFAULT_OVERLAP_S, **_members(("token", "overlap_s"))}
        return self._changed(requests.rotate, members, name)

    def delete(self, name: str) -> Response:
        """Remove a principal with all its tokens."""
        require(Action.ADMINISTER, EVERYTHING)
        return self._changed(requests.revoke, {}, name)

    def revoke_token(self, name: str, token_id: str) -> Response:
        """Take one token away from a principal."""
        require(Action.ADMINISTER, EVERYTHING)
        return self._changed(requests.revoke, {"token_id": token_id}, name)

    def _changed(self, change: Change, members: Members, name: str) -> Response:
        ask = read_ask(Query(request.query_string, ("message", "dry_run")))
        precondition = write_precondition()
        asked = repr((change.__name__, name, sorted(members.items())))
        receipts: list[Receipt] = []

        def land(plan: Callable[[View], Plan]) -> Outcome:
            receipts[:] = [self._service.administer(plan, ask, asked)]
            return receipts[0].outcome

        outcome = change(PrincipalBook(land, precondition=precondition), {**_dated(members), "name": name})
        if ask.dry_run:
            return previewed(receipts[0])
        told = {
            "name": name,
            "revision": outcome.revision,
            "commit_id": outcome.commit_id,
            "changed": outcome.changed,
        }
        status = 201 if change is requests.create else 200
        return answer(to_json(told), JSON, outcome.revision, status=status)


def _members(known: Collection[str]) -> dict[str, object]:
    members = read_members()
    check_known(members, known)
    token = as_members("token", needed("token", members.get("token")))
    check_known(token, TOKEN_MEMBERS)
    for name, value in (*members.items(), *token.items()):
        if value == "" and name != "description":
            # An `expires` that a script left empty must not stand for never.
            raise RequestInvalid(f"{name}: is empty (expected: a value, or none of that name)")
    return members


def _dated(members: Members) -> dict[str, object]:
    """Return the members with the time at which their token came, if they do not say when it was made."""
    token = members.get("token")
    if not isinstance(token, dict):
        return dict(members)
    return {**members, "token": {"created": format_time(time.time()), **token}}


def _tag(snapshot: Snapshot, name: str) -> str:
    return file_tag(TAG_KIND, snapshot.identity(principal_path(name)))
