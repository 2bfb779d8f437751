"""Paths of the API.  What is put into one is a name, so that it leads nowhere else: `..` would go up."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from configsvc.core import schema_names
from configsvc.core.errors import NameInvalid, RequestInvalid
from configsvc.core.names import parse_service

API = "/api/v1"


def config_path(service: str, part: str = "") -> str:
    """Return the path of a service, or of a part of it such as `versions`.

    Raises:
        NameInvalid: It is no name of a service.
    """
    path = f"{API}/configs/{named('service', service)}"
    return f"{path}/-/{part}" if part else path


def schema_path(schema: str) -> str:
    """Return the path of a schema.

    Raises:
        NameInvalid: It is no name of a schema.
    """
    named("schema", schema, schema_names.schema_path)
    return f"{API}/schemas/{schema}"


def named(what: str, name: str, parse: Callable[[str], str] = parse_service) -> str:
    """Return a name that `parse` takes.

    Raises:
        NameInvalid: It is none.
    """
    if not isinstance(name, str):
        raise NameInvalid(f"{what}: {type(name).__name__} (expected: text)")
    parse(name)
    return name


def segment(what: str, value: object) -> str:
    """Return a value as one segment of a path.

    Raises:
        RequestInvalid: It cannot be one.
    """
    text = str(value)
    if not isinstance(value, str | int) or text in ("", ".", ".."):
        raise RequestInvalid(f"{what}: {value!r} (expected: what names one)")
    return quote(text, safe="")
