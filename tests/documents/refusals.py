"""What a parser says of a text that it does not take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from configsvc.core.errors import DocumentInvalid
from configsvc.documents.bounds import DEFAULT_BOUNDS
from configsvc.documents.json import parse_json
from configsvc.documents.yaml import parse_yaml


def json_refusal(data: bytes, **limits: int) -> str:
    """Return why `data` is no document in JSON, within the default bounds but for `limits`."""
    return _refusal(parse_json, data, limits)


def yaml_refusal(data: bytes, **limits: int) -> str:
    """Return why `data` is no document in YAML, within the default bounds but for `limits`."""
    return _refusal(parse_yaml, data, limits)


def _refusal(parser: Callable[..., dict[str, object]], data: bytes, limits: dict[str, int]) -> str:
    with pytest.raises(DocumentInvalid) as refused:
        parser(data, bounds=replace(DEFAULT_BOUNDS, **limits))
    return refused.value.message
