"""Which schemas govern a service, and the files that each is made of.

There are two sources with one look-up: the repository at one state, and the
operator's folder.  A service is governed by NAME.json and by the
`_default.json` of each folder above it; all that exist apply.  Nothing here
judges: a schema that was found may be broken, see `compiled`.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from configsvc.core.errors import DocumentInvalid
from configsvc.core.names import META_FOLDER, is_service
from configsvc.documents.bounds import Bounds
from configsvc.documents.json import parse_json
from configsvc.validation.holding import held_schemas
from configsvc.validation.recent import Recent

REPOSITORY_FOLDER = f"{META_FOLDER}/schemas"
OPERATOR_FOLDER = "schemas"

SCHEMA_BOUNDS = Bounds(max_bytes=256 << 10, max_depth=64, max_nodes=20_000, max_expanded_bytes=256 << 10)
"""How large one file of a schema may be."""
MAX_FILES = 32
"""Most files that one schema may be made of."""
MAX_SCHEMA_BYTES = 1 << 20
"""Most bytes in all files of one schema."""

Read = Callable[[str], bytes | None]

_DEFAULT = "_default"


@dataclass(frozen=True, slots=True)
class SchemaSource:
    """A folder of schemas at one state.

    Args:
        folder: As messages name it; never where it is on this machine's disk.
        read: Returns the bytes of the file at a path below the folder, None
            when there is none.  In a plan it is the view that is asked, so that
            every file that was looked up is noted, absent ones too.
        is_empty: Whether it is known that there are no schemas.
    """

    folder: str
    read: Read
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """One schema with all files it refers to; equal for equal `schema_id`.

    Args:
        folder: Of its source.
        path: Below the folder.
        files: The file itself, then those it refers to, by path; of a schema
            that is over `MAX_FILES` or `MAX_SCHEMA_BYTES` not all.
        schema_id: Of the names and contents of all these files.
    """

    folder: str
    path: str
    files: Mapping[str, bytes] = field(compare=False)
    schema_id: str

    @property
    def name(self) -> str:
        """What messages call it: `.configsvc/schemas/payments/api.json`."""
        return f"{self.folder}/{self.path}"


def repository_source(read: Read) -> SchemaSource:
    """Return the schemas of a repository.

    Args:
        read: `View.read`, or anything that returns the bytes at a path of the repository.
    """
    return SchemaSource(REPOSITORY_FOLDER, lambda path: read(f"{REPOSITORY_FOLDER}/{path}"))


def lookup_paths(service: str) -> tuple[str, ...]:
    """Return where the schemas of a service may be: its own, then the default of each folder above."""
    folders = service.split("/")[:-1]
    above = ("/".join(folders[:count]) for count in range(len(folders), -1, -1))
    return (f"{service}.json", *(posixpath.join(folder, f"{_DEFAULT}.json") for folder in above))


def find_schemas(service: str, source: SchemaSource) -> list[Schema]:
    """Return all schemas of `source` that govern a service, nearest first; empty when it is free."""
    found = (find_schema(path, source) for path in lookup_paths(service))
    return [schema for schema in found if schema is not None]


def find_schema(path: str, source: SchemaSource) -> Schema | None:
    """Return the schema at `path` below the source's folder, None when there is none."""
    data = source.read(path)
    if data is None:
        return None
    files = {path: data}
    waiting = [path]
    while waiting and not exceeded(files):
        for target in _references(current := waiting.pop(), files[current]):
            if target not in files and (data := source.read(target)) is not None:
                files[target] = data
                waiting.append(target)
    return Schema(source.folder, path, files, _schema_id(source.folder, path, files))


def mentioned(schema: Schema) -> frozenset[str]:
    """Return the files that a schema is made of or refers to, those that are not there included."""
    named = (target for path, data in schema.files.items() for target in _references(path, data))
    return frozenset((*schema.files, *named))


def governs(path: str, service: str) -> bool:
    """Return whether the schema at `path` below a source's folder is one of those of `service`."""
    return path in lookup_paths(service)


def governed_folder(path: str) -> str | None:
    """Return the folder ("" is the root) of whose services `path` is the default schema; None of none."""
    folder, _, name = path.rpartition("/")
    return folder if name == f"{_DEFAULT}.json" else None


def is_schema_path(path: str) -> bool:
    """Return whether a schema may be at `path` below a source's folder."""
    stem, _, extension = path.rpartition(".")
    folder, _, name = stem.rpartition("/")
    is_default = name == _DEFAULT and (not folder or is_service(folder))
    return extension == "json" and (is_default or is_service(stem))


def exceeded(files: Mapping[str, bytes]) -> str | None:
    """Return how the files of one schema are over a limit, None when they are not."""
    if len(files) > MAX_FILES:
        return f"files: more than {MAX_FILES} (expected: <= {MAX_FILES} in one schema, with all it refers to)"
    size = sum(map(len, files.values()))
    if size > MAX_SCHEMA_BYTES:
        return f"size: {size} bytes with all it refers to (expected: <= {MAX_SCHEMA_BYTES})"
    return None


def split_reference(base: str, reference: str) -> tuple[str, str] | None:
    """Return the file, below the source's folder, and the fragment of a `$ref`; None when it leads elsewhere.

    Args:
        base: The file that the `$ref` stands in.
    """
    file, _, fragment = reference.partition("#")
    if not file:
        return base, fragment
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), file))
    return (path, fragment) if not file.startswith("/") and is_schema_path(path) else None


def _schema_id(folder: str, path: str, files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256(f"{folder}\0{path}\0".encode())
    for name in sorted(files):
        digest.update(f"{name}\0".encode() + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def _references(path: str, data: bytes) -> tuple[str, ...]:
    """Return the files that a file refers to; a broken file refers to none."""
    return _KNOWN_REFERENCES.get(
        (path, hashlib.sha256(data).digest()), lambda: tuple(dict.fromkeys(_found_references(path, data)))
    )


def _found_references(path: str, data: bytes) -> Iterator[str]:
    try:
        waiting: list[object] = [parse_json(data, bounds=SCHEMA_BOUNDS)]
    except DocumentInvalid:  # told when the schema is compiled
        return
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, dict):
            continue
        reference = schema.get("$ref")
        target = split_reference(path, reference) if isinstance(reference, str) else None
        if target is not None and target[0] != path:
            yield target[0]
        waiting.extend(held.schema for held in held_schemas(schema))


_KNOWN_REFERENCES: Recent[tuple[str, bytes], tuple[str, ...]] = Recent(4096)
