"""The contract of the HTTP API as a value: what `openapi.yaml` says."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from configsvc.documents.bounds import Bounds
from configsvc.documents.yaml import parse_yaml

_BOUNDS = Bounds(max_bytes=1 << 20, max_nodes=1_000_000)


@cache
def read_contract() -> dict[str, object]:
    """Return the OpenAPI document; treat it as read-only."""
    return parse_yaml(files("configsvc.api").joinpath("openapi.yaml").read_bytes(), bounds=_BOUNDS)
