"""Answers to results.  A field that this release does not know is passed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from configsvc.client import results
from configsvc.client.failures import AnswerInvalid
from configsvc.client.messages import Answer

T = TypeVar("T")

_NESTED: Mapping[tuple[type, str], type] = {
    (results.Commit, "services"): results.ServiceVersion,
    (results.Committed, "versions"): results.VersionMade,
    (results.DryRun, "versions"): results.ServiceVersion,
    (results.DryRun, "diffs"): results.FileDiff,
    (results.Verdict, "violations"): results.Violation,
    (results.Principal, "tokens"): results.TokenInfo,
}


def json_of(answer: Answer) -> Any:
    """Return the value of a JSON body.

    Raises:
        AnswerInvalid: The body is no JSON.
    """
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        kind = answer.headers.get("content-type", "none")
        raise AnswerInvalid(f"body: type {kind} that does not parse (expected: JSON)") from error


def list_of(answer: Answer) -> list[Any]:
    """Return the list in a JSON body.

    Raises:
        AnswerInvalid: There is none.
    """
    value = json_of(answer)
    if not isinstance(value, list):
        raise AnswerInvalid(f"body: {type(value).__name__} (expected: a list)")
    return value


def text_of(answer: Answer) -> str:
    """Return a body that is UTF-8 text.

    Raises:
        AnswerInvalid: It is none.
    """
    try:
        return answer.body.decode()
    except UnicodeDecodeError as error:
        raise AnswerInvalid("body: not UTF-8 (expected: text)") from error


def format_of(answer: Answer) -> str:
    """Return `json` or `yaml`, by the type of a body.

    Raises:
        AnswerInvalid: It is of another type.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/yaml"):
        raise AnswerInvalid(f"content-type: {kind!r} (expected: application/json or application/yaml)")
    return kind.removeprefix("application/")


def number_of(answer: Answer, name: str) -> int:
    """Return the whole number in a header.

    Raises:
        AnswerInvalid: The header is missing or no number.
    """
    text = answer.headers.get(name, "")
    if not text.isdecimal():
        raise AnswerInvalid(f"{name}: {text!r} (expected: a whole number)")
    return int(text)


def build(kind: type[T], value: object) -> T:
    """Return a result from a JSON object.

    Raises:
        AnswerInvalid: It is no object, or a field is missing.
    """
    if not isinstance(value, dict):
        raise AnswerInvalid(f"{kind.__name__}: {type(value).__name__} (expected: an object)")
    found: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # every result is a dataclass
        if field.name in value:
            found[field.name] = _field_value(kind, field.name, value[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise AnswerInvalid(f"{kind.__name__}: no {field.name} (expected: one)")
    return kind(**found)


def _field_value(kind: type, name: str, value: object) -> object:
    if not isinstance(value, list):
        return value
    nested = _NESTED.get((kind, name))
    return tuple(value if nested is None else (build(nested, item) for item in value))


def one(kind: type[T]) -> Callable[[Answer], T]:
    """Return the parser of an answer that is one result."""
    return lambda answer: build(kind, json_of(answer))


def written(kind: type[T]) -> Callable[[Answer], T | results.DryRun]:
    """Return the parser of the answer to a write, which may be that of a dry run."""

    def parse(answer: Answer) -> T | results.DryRun:
        value = json_of(answer)
        if isinstance(value, dict) and value.get("dry_run"):
            return build(results.DryRun, value)
        return build(kind, value)

    return parse


def page(kind: type[T]) -> Callable[[Answer], results.Page[T]]:
    """Return the parser of one page of a list."""

    def parse(answer: Answer) -> results.Page[T]:
        raw = json_of(answer)
        if not isinstance(raw, dict) or not isinstance(raw.get("items"), list) or "revision" not in raw:
            raise AnswerInvalid("page: no revision and items (expected: both)")
        items = tuple(build(kind, item) for item in raw["items"])
        return results.Page(raw["revision"], items, raw.get("next_cursor"))

    return parse
