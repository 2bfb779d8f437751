"""The changes in the body of `POST /api/v1/commits`.

What is named is asked for before anything is read, so that nobody has documents parsed that
they may not write.  A value is cut out of the body as text, so that numbers, strings and the
order of keys are stored as they were sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from configsvc.access.decide import Action
from configsvc.api.guard import require
from configsvc.api.v1.bodies import as_members, check_known, integer_member, needed, text_member
from configsvc.api.v1.budgets import NodeBudget, commit_nodes
from configsvc.api.v1.meta import MEMBERS, read_meta_change
from configsvc.core.errors import ConfigError, RequestInvalid
from configsvc.core.names import Format, parse_service
from configsvc.core.schema_names import schema_path
from configsvc.core.tags import Precondition, parse_precondition
from configsvc.documents.document import Document
from configsvc.documents.members import item_texts, member_texts
from configsvc.service import ConfigService
from configsvc.service.changes import (
    Change,
    DeleteSchema,
    DeleteService,
    PatchDocument,
    PatchKind,
    PutDocument,
    PutSchema,
    Rollback,
)
from configsvc.service.rights import schema_scope

MAX_CHANGES = 1000
"""Most changes of one commit."""

_CONDITIONS = ("if_match", "if_none_match")


class _Sent(NamedTuple):
    """One change as sent: its members, and the same spelled as in the body."""

    members: Mapping[str, object]
    texts: Mapping[str, str]

    @property
    def service(self) -> str:
        return parse_service(needed("service", text_member(self.members, "service")))

    @property
    def schema(self) -> str:
        return schema_path(needed("schema", text_member(self.members, "schema")))

    @property
    def precondition(self) -> Precondition:
        given = (text_member(self.members, name) for name in _CONDITIONS)
        return parse_precondition(*given)

    def text(self, name: str) -> bytes:
        return needed(name, self.texts.get(name)).encode()

    def value(self, name: str) -> object:
        self.text(name)
        return self.members[name]


def read_changes(text: str, changes: object, service: ConfigService) -> list[Change]:
    """Return the changes that a list in a body asks for.

    Args:
        text: The list, spelled as in the body.
        changes: What it parses to.

    Raises:
        RequestInvalid: It is no list of changes; `details` has the index of the one that is wrong.
        NotFound, Forbidden: One of them is not for the one who asks to make.
        DocumentInvalid: A document in it is not valid.
        DocumentTooLarge: All documents together have more nodes than one commit may.
    """
    if not isinstance(changes, list):
        raise RequestInvalid("changes: is no list (expected: one)")
    if not 1 <= len(changes) <= MAX_CHANGES:
        raise RequestInvalid(f"changes: {len(changes)} (expected: 1 to {MAX_CHANGES})")
    for index, change in enumerate(changes):
        _ask(index, change)
    reader = _DocumentReader(service)
    pairs = zip(changes, item_texts(text), strict=True)
    return [_read(index, change, spelled, reader) for index, (change, spelled) in enumerate(pairs)]


class _DocumentReader:
    """Reads the documents of one commit within one budget."""

    def __init__(self, service: ConfigService) -> None:
        self._service = service
        self._budget = NodeBudget(commit_nodes(service.bounds.max_nodes))

    def document(self, data: bytes, format_: Format) -> Document:
        document = self._service.read_document(data, format_)
        self._budget.spend(document.value)
        return document

    def value(self, value: object) -> object:
        self._budget.spend(value)
        return value


def _ask(index: int, change: object) -> None:
    """Raise unless a change is one that may be asked for, by what it names alone."""
    try:
        members = as_members("change", change)
        name = needed("op", text_member(members, "op"))
        if name not in _READERS:
            raise RequestInvalid(f"op: {name[:40]!a} (expected: one of {', '.join(_READERS)})")
        known, _ = _READERS[name]
        check_known(members, ("op", *known, *_CONDITIONS))
        sent = _Sent(members, {})
        if "schema" in known:
            require(Action.ADMINISTER, schema_scope(sent.schema))
        else:
            require(Action.WRITE, sent.service)
    except ConfigError as error:
        raise _located(error, index, change) from error


def _read(index: int, change: object, text: str, reader: _DocumentReader) -> Change:
    try:
        members = as_members("change", change)
        _, read = _READERS[str(members["op"])]
        return read(_Sent(members, member_texts(text)), reader)
    except ConfigError as error:
        raise _located(error, index, change) from error


def _put(sent: _Sent, reader: _DocumentReader) -> Change:
    has_text = "document" in sent.members
    if has_text is ("value" in sent.members):
        raise RequestInvalid("value: is given with document, or neither is (expected: one of them)")
    if not has_text:
        document = reader.document(sent.text("value"), Format.JSON)
        return PutDocument(sent.service, document, sent.precondition, keep_format=True)
    format_ = text_member(sent.members, "format")
    if format_ not in ("json", "yaml"):
        raise RequestInvalid(f"format: {str(format_)[:40]!a} (expected: json or yaml)")
    text = needed("document", text_member(sent.members, "document"))
    document = reader.document(text.encode(), Format(format_))
    return PutDocument(sent.service, document, sent.precondition)


def _patch(kind: PatchKind) -> Callable[[_Sent, _DocumentReader], Change]:
    return lambda sent, reader: PatchDocument(
        sent.service, reader.value(sent.value("patch")), kind, sent.precondition
    )


def _delete(sent: _Sent, _: _DocumentReader) -> Change:
    return DeleteService(sent.service, sent.precondition)


def _rollback(sent: _Sent, _: _DocumentReader) -> Change:
    version = needed("version", integer_member(sent.members, "version"))
    return Rollback(sent.service, version, sent.precondition)


def _meta(sent: _Sent, _: _DocumentReader) -> Change:
    return read_meta_change(sent.service, sent.members, sent.precondition)


def _put_schema(sent: _Sent, reader: _DocumentReader) -> Change:
    reader.value(sent.value("value"))
    return PutSchema(sent.schema, sent.text("value"), sent.precondition)


def _delete_schema(sent: _Sent, _: _DocumentReader) -> Change:
    return DeleteSchema(sent.schema, sent.precondition)


_READERS: Mapping[str, tuple[tuple[str, ...], Callable[[_Sent, _DocumentReader], Change]]] = {
    "put": (("service", "value", "document", "format"), _put),
    "merge-patch": (("service", "patch"), _patch(PatchKind.MERGE)),
    "json-patch": (("service", "patch"), _patch(PatchKind.JSON)),
    "delete": (("service",), _delete),
    "rollback": (("service", "version"), _rollback),
    "meta": (("service", *MEMBERS), _meta),
    "put-schema": (("schema", "value"), _put_schema),
    "delete-schema": (("schema",), _delete_schema),
}


def _located(error: ConfigError, index: int, change: object) -> ConfigError:
    """Return an error whose details say which change it is about."""
    where: dict[str, object] = {"index": index}
    named = change.get("service") if isinstance(change, dict) else None
    if isinstance(named, str) and len(named) <= 200:
        where["service"] = named
    details = error.details or ({"message": error.message},)
    error.details = tuple({**detail, **where} for detail in details)
    return error
