"""Documents as values of a type: dataclasses, TypedDicts, pydantic's models, or what a function makes.

All that does not fit is found in one go, each finding with its place; values are never shown, since they
may be secret.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from configsvc.client.failures import BindingFailed
from configsvc.client.live import shapes
from configsvc.client.live.difference import escaped
from configsvc.client.live.shapes import Convert, Finding, Findings, attempt, kind_of

Bind = Callable[[Mapping[str, Any]], Any]


def binder(bind: Callable[..., Any] | None) -> Bind:
    """Return a function from documents to values, which raises BindingFailed.

    Args:
        bind: A dataclass, a TypedDict, a pydantic model, a function, or None for documents as they are.

    Raises:
        TypeError: The class, or the type of one of its fields, is of no kind that is known here.
    """
    if bind is None:
        return lambda document: document
    is_type = isinstance(bind, type) or typing.get_origin(bind) is not None
    convert = _Compiler().convert(bind) if is_type else _by_function(bind)

    def bound(document: Mapping[str, Any]) -> Any:
        found: Findings = []
        # What converts may be code of others, and whatever that raises is why the document does not fit.
        value = attempt(lambda: convert(document, "", found), "", found)
        if found:
            told = "; ".join(f"{each.pointer or 'document'}: {each.message}" for each in found)
            raise BindingFailed(told, [_detail(each) for each in found])
        return value

    return bound


def members(value: object) -> Mapping[str, Any]:
    """Return what `config[...]` finds in a default; nothing in a value that has no members."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) else {}


def _detail(finding: Finding) -> dict[str, object]:
    kind = {"kind": finding.kind} if finding.kind else {}
    return {"pointer": finding.pointer, "message": finding.message, **kind}


def _by_function(make: Callable[..., Any]) -> Convert:
    return lambda value, pointer, found: attempt(lambda: make(value), pointer, found)


class _Compiler:
    """Turns types into converters once, so that mistakes in the types show before any document comes."""

    def __init__(self) -> None:
        self._made: dict[type, Convert] = {}

    def convert(self, kind: Any) -> Convert:
        """Return the converter to `kind`.

        Raises:
            TypeError: There is none.
        """
        if not (isinstance(kind, type) and shapes.is_record(kind)):
            return shapes.converter(kind, self.convert)
        if kind not in self._made:
            # A class may contain itself; what stands there meanwhile looks the finished one up.
            self._made[kind] = partial(self._later, kind)
            self._made[kind] = self._record(kind)
        return self._made[kind]

    def _later(self, kind: type, value: object, pointer: str, found: Findings) -> Any:
        return self._made[kind](value, pointer, found)

    def _record(self, kind: Any) -> Convert:
        if shapes.is_model(kind):
            return _model(kind)
        hints = _hints(kind)
        if typing.is_typeddict(kind):
            fields = [
                _Field(name, name, self._field(kind, name, hint), _is_required(kind, name, hint))
                for name, hint in hints.items()
            ]
            return _object(fields, dict)
        return _object(
            [
                _Field(
                    field.name,
                    str(field.metadata.get("key", field.name)),
                    self._field(kind, field.name, hints[field.name]),
                    field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
                )
                for field in dataclasses.fields(kind)
                if field.init
            ],
            kind,
        )

    def _field(self, kind: type, name: str, hint: Any) -> Convert:
        try:
            return self.convert(hint)
        except TypeError as error:
            raise TypeError(f"{kind.__name__}.{name}: {error}") from error


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    key: str
    convert: Convert
    is_required: bool


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"bind: {kind.__name__}: {error} (expected: types that are defined where the module can see them)"
        ) from error


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    """Return whether a TypedDict has to have a key."""
    # Python itself takes no notice of NotRequired where annotations are strings.
    origin = typing.get_origin(hint)
    return origin is typing.Required or (origin is not typing.NotRequired and name in kind.__required_keys__)


def _object(fields: list[_Field], make: Callable[..., Any]) -> Convert:
    def convert(value: object, pointer: str, found: Findings) -> Any:
        if not isinstance(value, Mapping):
            found.append(Finding(pointer, f"{kind_of(value)} (expected: an object)"))
            return None
        before = len(found)
        taken: dict[str, Any] = {}
        for field in fields:
            place = f"{pointer}/{escaped(field.key)}"
            if field.key in value:
                taken[field.name] = field.convert(value[field.key], place, found)
            elif field.is_required:
                found.append(Finding(place, "missing (expected: a value)"))
        return attempt(lambda: make(**taken), pointer, found) if len(found) == before else None

    return convert


def _model(kind: Any) -> Convert:
    """Return the converter to a pydantic model; pydantic is never imported here."""

    def convert(value: object, pointer: str, found: Findings) -> Any:
        return attempt(lambda: validated(value, pointer, found), pointer, found)

    def validated(value: object, pointer: str, found: Findings) -> Any:
        try:
            return kind.model_validate(value)
        except ValueError as error:
            errors: Any = getattr(error, "errors", None)
            if errors is None:
                raise
            for each in errors(include_input=False, include_url=False):
                place = "".join(f"/{escaped(part)}" for part in each["loc"])
                found.append(Finding(pointer + place, str(each["msg"]), str(each["type"])))
            return None

    return convert
