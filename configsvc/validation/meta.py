"""What a meta-schema says about one schema, apart from the schemas inside it.

The library judges a schema by its meta-schema as a whole and follows dynamic
references on every level: a millisecond and more for each schema inside.  Here
the meta-schema of a draft is flattened once, with nothing but `an object or a
boolean` where it asks for a schema again; every schema of a file is judged by
that, one after the other.  A test holds both ways equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

from jsonschema.exceptions import ValidationError
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # it has no py.typed
from referencing import Registry

from configsvc.validation.dialects import DIALECTS, Dialect
from configsvc.validation.formats import FORMATS

# How the meta-schemas say "a schema", and how those of vocabularies name their own parts.
_SCHEMA_AGAIN = ('{"$ref": "#"}', '{"$dynamicRef": "#meta"}', '{"$recursiveRef": "#"}')
_OTHER_VOCABULARY = re.compile(r'"meta/[a-z-]+#')
_NAMES = ("$id", "id", "$schema", "$vocabulary", "$dynamicAnchor", "$recursiveAnchor", "allOf")


def meta_errors(dialect: Dialect, schema: object) -> Iterator[ValidationError]:
    """Yield what its draft's meta-schema finds wrong with a schema, without the schemas inside it."""
    errors: Iterator[ValidationError] = _JUDGES[dialect.name].iter_errors(schema)
    return errors


def _judge(dialect: Dialect) -> Any:
    return dialect.judge(_flat(dialect.meta.META_SCHEMA), registry=Registry(), format_checker=FORMATS)


def _flat(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a meta-schema with its vocabularies merged and its recursion cut."""
    merged: dict[str, Any] = {}
    for part in [*_vocabularies(meta), meta]:
        for keyword, value in part.items():
            if keyword in _NAMES:
                continue
            merged[keyword] = {**merged.get(keyword, {}), **value} if isinstance(value, dict) else value
    text = _OTHER_VOCABULARY.sub('"#', json.dumps(merged))
    for again in _SCHEMA_AGAIN:
        text = text.replace(again, json.dumps({"type": meta["type"]}))
    flat: dict[str, Any] = json.loads(text)
    return flat


def _vocabularies(meta: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in meta.get("allOf", ()):
        yield REGISTRY.contents(urljoin(meta["$id"], each["$ref"]))


_JUDGES = {dialect.name: _judge(dialect) for dialect in DIALECTS.values()}
