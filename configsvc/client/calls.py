"""The calls of the API as values: what to send, and how to read what comes back.  No I/O.

Options that all writes have: `if_match` (a tag; write only while it is the
newest), `message` (of the commit), `dry_run` (judge, tell, write nothing).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

from configsvc.client import results
from configsvc.client.messages import Answer, Request
from configsvc.client.parsing import format_of, json_of, list_of, number_of, one, page, text_of, written
from configsvc.client.paths import API, config_path, named, schema_path, segment
from configsvc.core.errors import RequestInvalid
from configsvc.core.rejections import MAX_APPLICATION_CHARS, MAX_PROBLEM_CHARS, MAX_PROBLEMS

T = TypeVar("T")
Format = Literal["json", "yaml"]

JSON_BODY = {"Content-Type": "application/json"}
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
_JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request and the parser of the answer to it."""

    request: Request
    parse: Callable[[Answer], T]


def server_info() -> Call[results.ServerInfo]:
    """Return what the server is and can do."""
    return Call(Request("GET", "/"), one(results.ServerInfo))


def list_configs(
    *, prefix: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[results.Page[results.ConfigItem]]:
    """Return one page of the services, in the order of their names."""
    params = params_of(prefix=prefix, limit=limit, cursor=cursor)
    return Call(Request("GET", f"{API}/configs", params), page(results.ConfigItem))


def get(
    service: str,
    *,
    version: int | None = None,
    at: str | None = None,
    pointer: str | None = None,
    min_revision: int | None = None,
    if_none_match: str | None = None,
) -> Call[results.Document | None]:
    """Return a document: the newest, that of `version`, or what was newest `at` a commit or tag.

    Args:
        pointer: JSON pointer of the one value to return.
        min_revision: Refuse a server that has not come so far; a client adds its own writes.
        if_none_match: Tag of what is known already; None is returned when it is still so.
    """
    params = params_of(version=version, at=at, pointer=pointer, min_revision=min_revision)
    headers = {"Accept": "application/json", **_headers(**{"If-None-Match": if_none_match})}

    def parse(answer: Answer) -> results.Document | None:
        if answer.status == 304:
            return None
        numbers = number_of(answer, "config-version"), number_of(answer, "config-revision")
        return results.Document(service, json_of(answer), *numbers, answer.headers.get("etag", ""))

    return Call(Request("GET", config_path(service), params, headers, takes_min_revision=True), parse)


def get_text(
    service: str,
    *,
    version: int | None = None,
    at: str | None = None,
    format: Format | None = None,  # noqa: A002 - the API's own word
    min_revision: int | None = None,
) -> Call[results.DocumentText]:
    """Return a document as the text that is stored, comments included.

    Args:
        format: What to have it written in; None: what it is stored in.
    """
    params = params_of(version=version, at=at, min_revision=min_revision)
    accept = "application/json, application/yaml" if format is None else f"application/{format}"

    def parse(answer: Answer) -> results.DocumentText:
        numbers = number_of(answer, "config-version"), number_of(answer, "config-revision")
        return results.DocumentText(
            service, text_of(answer), format_of(answer), *numbers, answer.headers.get("etag", "")
        )

    request = Request("GET", config_path(service), params, {"Accept": accept}, takes_min_revision=True)
    return Call(request, parse)


def put(
    service: str,
    value: Mapping[str, object] | None = None,
    *,
    text: str | None = None,
    text_format: Format = "yaml",
    format: Format | None = None,  # noqa: A002 - the API's own word
    if_match: str | None = None,
    create_only: bool = False,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[results.Written | results.DryRun]:
    """Create or replace a document by `value`, or by `text` in `text_format`.

    Args:
        format: What to keep it in, when that is not what stands there or is sent.
        create_only: Refuse when the service exists.
    """
    headers, body = _document("put", value, text, text_format)
    params = {**params_of(format=format), **_write_params(message, dry_run)}
    conditions = _headers(**{"If-Match": if_match, "If-None-Match": "*" if create_only else None})
    request = Request("PUT", config_path(service), params, {**headers, **conditions}, body, is_write=True)
    return Call(request, written(results.Written))


def patch(
    service: str,
    changes: Mapping[str, object] | Sequence[Mapping[str, object]],
    *,
    if_match: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[results.Written | results.DryRun]:
    """Change part of a document: a mapping is a merge patch, a list the operations of a JSON Patch."""
    kind = _MERGE_PATCH if isinstance(changes, Mapping) else {"Content-Type": _JSON_PATCH}
    request = write_request("PATCH", config_path(service), if_match, message, dry_run, kind, dump(changes))
    return Call(request, written(results.Written))


def delete(
    service: str, *, if_match: str | None = None, message: str | None = None, dry_run: bool = False
) -> Call[results.Deleted | results.DryRun]:
    """Delete a service that is disabled."""
    request = write_request("DELETE", config_path(service), if_match, message, dry_run)
    return Call(request, written(results.Deleted))


def rollback(
    service: str,
    version: int,
    *,
    if_match: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[results.Written | results.DryRun]:
    """Make an old version the newest again, as a new version."""
    path, body = config_path(service, "rollback"), dump({"version": version})
    request = write_request("POST", path, if_match, message, dry_run, JSON_BODY, body)
    return Call(request, written(results.Written))


def history(
    service: str, *, limit: int | None = None, cursor: str | None = None
) -> Call[results.Page[results.Version]]:
    """Return one page of a service's versions, newest first."""
    request = Request("GET", config_path(service, "versions"), params_of(limit=limit, cursor=cursor))
    return Call(request, page(results.Version))


def get_version(service: str, version: int) -> Call[results.Version]:
    """Return what made one version."""
    path = f"{config_path(service, 'versions')}/{segment('version', version)}"
    return Call(Request("GET", path), one(results.Version))


def diff(service: str, *, start: int | None = None, end: int | None = None) -> Call[results.Diff]:
    """Return the text of the difference; by default that which the newest version made."""

    def parse(answer: Answer) -> results.Diff:
        return results.Diff(number_of(answer, "config-revision"), text=text_of(answer))

    return Call(_diff_request(service, start, end, "text/x-diff"), parse)


def diff_operations(service: str, *, start: int | None = None, end: int | None = None) -> Call[results.Diff]:
    """Return the difference as the operations of a JSON Patch."""

    def parse(answer: Answer) -> results.Diff:
        return results.Diff(number_of(answer, "config-revision"), operations=tuple(list_of(answer)))

    return Call(_diff_request(service, start, end, _JSON_PATCH), parse)


def get_meta(service: str) -> Call[results.Meta]:
    """Return whether a service is enabled, its owner and its description."""
    return Call(Request("GET", config_path(service, "meta")), one(results.Meta))


def patch_meta(
    service: str,
    changes: Mapping[str, object],
    *,
    if_match: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[results.MetaWritten | results.DryRun]:
    """Set any of `enabled`, `owner` and `description`; None sets the default again."""
    path, body = config_path(service, "meta"), dump(changes)
    request = write_request("PATCH", path, if_match, message, dry_run, _MERGE_PATCH, body)
    return Call(request, written(results.MetaWritten))


def list_commits(
    *, limit: int | None = None, cursor: str | None = None
) -> Call[results.Page[results.Commit]]:
    """Return one page of the repository's history, newest first."""
    params = params_of(limit=limit, cursor=cursor)
    return Call(Request("GET", f"{API}/commits", params), page(results.Commit))


def get_commit(commit_id: str) -> Call[results.Commit]:
    """Return one commit and the versions that it made."""
    path = f"{API}/commits/{segment('commit_id', commit_id)}"
    return Call(Request("GET", path), one(results.Commit))


def commit(
    changes: Sequence[Mapping[str, object]],
    *,
    message: str | None = None,
    expected_revision: int | None = None,
    dry_run: bool = False,
) -> Call[results.Committed | results.DryRun]:
    """Land many changes as one commit, or none of them.

    Args:
        changes: As `docs/api.md` lists them: `{"op": "put", "service": ..., "value": ...}`.
        expected_revision: Refuse unless the repository is at it.
    """
    body: dict[str, object] = {"changes": list(changes)}
    if message is not None:
        body["message"] = message
    if expected_revision is not None:
        body["expected_revision"] = expected_revision
    params = _write_params(None, dry_run)
    request = Request("POST", f"{API}/commits", params, JSON_BODY, dump(body), is_write=True)
    return Call(request, written(results.Committed))


def validate(
    service: str,
    value: Mapping[str, object] | None = None,
    *,
    text: str | None = None,
    text_format: Format = "yaml",
) -> Call[results.Verdict]:
    """Return what the gate would say of `value`, or of `text` in `text_format`, as a document."""
    headers, body = _document("validate", value, text, text_format)
    request = Request("POST", f"{API}/validate", {"service": named("service", service)}, headers, body)
    return Call(request, one(results.Verdict))


def report_rejection(
    service: str,
    version: int,
    problems: Sequence[Mapping[str, str]] = (),
    *,
    application: str = "",
) -> Call[None]:
    """Tell the server's log of clients that a version was not adopted.

    Args:
        problems: What does not fit, each a `message` and the JSON pointer of its place, `pointer`; no values,
            since they may be secret. The first 20 are sent.
        application: Who says so; empty for nobody in particular.
    """
    told: dict[str, object] = {"version": version}
    if application:
        told["application"] = application[:MAX_APPLICATION_CHARS]
    if problems:
        told["problems"] = [
            {name: text[:MAX_PROBLEM_CHARS] for name, text in each.items()}
            for each in problems[:MAX_PROBLEMS]
        ]
    request = Request(
        "POST", f"{config_path(service)}/-/rejections", headers=JSON_BODY, body=json.dumps(told).encode()
    )
    return Call(request, lambda answer: None)


def list_schemas(
    *, limit: int | None = None, cursor: str | None = None
) -> Call[results.Page[results.SchemaItem]]:
    """Return one page of the repository's schemas."""
    params = params_of(limit=limit, cursor=cursor)
    return Call(Request("GET", f"{API}/schemas", params), page(results.SchemaItem))


def get_schema(schema: str) -> Call[results.SchemaDocument]:
    """Return a schema: `payments/api`, `payments/-/default` or `-/default`."""

    def parse(answer: Answer) -> results.SchemaDocument:
        return results.SchemaDocument(schema, json_of(answer), answer.headers.get("etag", ""))

    return Call(Request("GET", schema_path(schema)), parse)


def put_schema(
    schema: str,
    value: Mapping[str, object] | bool,
    *,
    if_match: str | None = None,
    message: str | None = None,
    dry_run: bool = False,
) -> Call[results.SchemaWritten | results.DryRun]:
    """Set a schema; documents that it covers must conform to it already."""
    kind = {"Content-Type": "application/schema+json"}
    request = write_request("PUT", schema_path(schema), if_match, message, dry_run, kind, dump(value))
    return Call(request, written(results.SchemaWritten))


def delete_schema(
    schema: str, *, if_match: str | None = None, message: str | None = None, dry_run: bool = False
) -> Call[results.SchemaWritten | results.DryRun]:
    """Delete a schema."""
    request = write_request("DELETE", schema_path(schema), if_match, message, dry_run)
    return Call(request, written(results.SchemaWritten))


def _diff_request(service: str, start: int | None, end: int | None, accept: str) -> Request:
    params = params_of(**{"from": start, "to": end})
    return Request("GET", config_path(service, "diff"), params, {"Accept": accept})


def _document(
    call: str, value: Mapping[str, object] | None, text: str | None, text_format: Format
) -> tuple[Mapping[str, str], bytes]:
    if (value is None) == (text is None):
        raise ValueError(f"{call}: value and text (expected: one of them)")
    if text is None:
        return JSON_BODY, dump(value)
    return {"Content-Type": f"application/{text_format}"}, text.encode()


def write_request(
    method: str,
    path: str,
    if_match: str | None,
    message: str | None,
    dry_run: bool,
    headers: Mapping[str, str] = MappingProxyType({}),
    body: bytes = b"",
) -> Request:
    """Return the request of a write, with the options that all writes have."""
    sent = {**headers, **_headers(**{"If-Match": if_match})}
    return Request(method, path, _write_params(message, dry_run), sent, body, is_write=True)


def dump(value: object) -> bytes:
    """Return a value as the JSON of a body."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def params_of(**given: str | int | None) -> dict[str, str]:
    """Return what was given as the text that it is sent as; None is left out."""
    return {name: str(value) for name, value in given.items() if value is not None}


def _write_params(message: str | None, dry_run: bool) -> dict[str, str]:
    return params_of(message=message, dry_run="true" if dry_run else None)


def _headers(**given: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given.items():
        if value is None:
            continue
        if not (isinstance(value, str) and value.isascii() and value.isprintable()):
            raise RequestInvalid(f"{name}: {value!r} (expected: a tag as it was answered)")
        found[name] = value
    return found
