"""`/api/v1/configs/{service}/-/meta`: what is known of a service besides its document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from flask import Response, request

from configsvc.access.decide import Action
from configsvc.api.asks import read_ask
from configsvc.api.conditional import write_precondition
from configsvc.api.guard import require
from configsvc.api.parameters import Query
from configsvc.api.v1.answers import answer, previewed, read_answer, to_json
from configsvc.api.v1.bodies import MERGE_PATCH, check_known, flag_member, read_members, text_member
from configsvc.api.v1.negotiation import JSON
from configsvc.core.names import meta_path, parse_service
from configsvc.core.tags import Precondition, file_tag
from configsvc.documents.meta import Meta
from configsvc.service import ConfigService
from configsvc.service.changes import SetMeta
from configsvc.store.base import Snapshot

MEMBERS = ("enabled", "owner", "description")
PATCH_TYPES = (MERGE_PATCH, JSON)


class MetaApi:
    """Reads and sets what is known of a service."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service

    def get(self, service: str) -> Response:
        """Answer enabled, owner and description."""
        Query(request.query_string, ())
        require(Action.READ, parse_service(service))
        snapshot = self._service.snapshot()
        entry = self._service.find_entry(snapshot, service)
        body = to_json(self._told(snapshot, service))
        tag = _tag(snapshot, service)
        return read_answer(body, JSON, snapshot.revision, tag=tag, version=entry.version)

    def patch(self, service: str) -> Response:
        """Set what the body names."""
        query = Query(request.query_string, ("message", "dry_run"))
        require(Action.WRITE, parse_service(service))
        members = read_members(PATCH_TYPES)
        check_known(members, MEMBERS)
        ask = read_ask(query)
        receipt = self._service.commit([read_meta_change(service, members, write_precondition())], ask=ask)
        if ask.dry_run:
            return previewed(receipt)
        outcome = receipt.outcome
        meta, blob_id = receipt.meta(service)
        told = {
            "service": service,
            **asdict(meta),
            "revision": outcome.revision,
            "commit_id": outcome.commit_id,
            "changed": outcome.changed,
        }
        tag, version = file_tag("meta", blob_id), receipt.entry(service).version
        return answer(to_json(told), JSON, outcome.revision, tag=tag, version=version)

    def _told(self, snapshot: Snapshot, service: str) -> dict[str, object]:
        return {"service": service, **asdict(self._service.meta(snapshot, service))}


def read_meta_change(service: str, members: Mapping[str, object], precondition: Precondition) -> SetMeta:
    """Return the change that a merge patch of meta asks for; null stands for the default.

    Raises:
        RequestInvalid: A member has another type.
    """
    default = asdict(Meta())
    wanted = {
        name: default[name] if name in members and members[name] is None else members[name]
        for name in MEMBERS
        if name in members
    }
    return SetMeta(
        service,
        flag_member(wanted, "enabled"),
        text_member(wanted, "owner"),
        text_member(wanted, "description"),
        precondition,
    )


def _tag(snapshot: Snapshot, service: str) -> str:
    return file_tag("meta", snapshot.identity(meta_path(service)))
