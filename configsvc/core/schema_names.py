"""What a schema is called in the API, and which file it is; a client sends no other name."""

from __future__ import annotations

from configsvc.core.errors import NameInvalid
from configsvc.core.names import parse_service

DEFAULT = "-/default"
"""Name of the schema of all services; behind a folder and `/`, of all services below it."""

_FILE = "_default.json"


def schema_path(name: str) -> str:
    """Return the path, below the schemas' folder, of the schema with a name.

    Args:
        name: Of a service, or `-/default`, or `FOLDER/-/default`.

    Raises:
        NameInvalid: It is none of these.
    """
    if name == DEFAULT:
        return _FILE
    if name.endswith(f"/{DEFAULT}"):
        return f"{_parsed(name.removesuffix(f'/{DEFAULT}'))}/{_FILE}"
    return f"{_parsed(name)}.json"


def schema_name(path: str) -> str:
    """Return the name of the schema at a path below the schemas' folder."""
    return DEFAULT.join(path.rsplit(_FILE, 1)) if path.endswith(_FILE) else path.removesuffix(".json")


def _parsed(name: str) -> str:
    try:
        return parse_service(name)
    except NameInvalid as error:
        raise NameInvalid(error.message.replace("service:", "schema:", 1)) from error
