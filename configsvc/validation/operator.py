"""The operator's folder of schemas: files on disk, taken anew when they have changed.

What is in force is one state of the whole folder, held in memory.  A folder
that has become unusable is not taken: the state before stays in force, and
`violations` tells why.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

from configsvc.core.errors import SchemaTooSlow, Unavailable
from configsvc.core.names import MAX_SEGMENTS
from configsvc.core.reports import Violation
from configsvc.validation.schemas import (
    OPERATOR_FOLDER,
    SCHEMA_BOUNDS,
    Schema,
    SchemaSource,
    find_schema,
    is_schema_path,
)

INTERVAL_S = 1.0
"""The disk is looked at no more often, in seconds."""

_LOG = logging.getLogger(__name__)
_Stamps = dict[str, tuple[int, int, int, int]]


class OperatorSchemas:
    """The operator's schemas.  Thread-safe.

    Args:
        folder: May be missing: then there are none.
        check: What a new state has to pass, `check_schema` without it; `SchemaJudge.check`
            remembers what it has checked before.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        check: Callable[[Schema], list[Violation]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._check = _check_here if check is None else check
        self._clock = clock
        self._looking = threading.Lock()  # held by the one thread that looks at the disk
        self._looked_at_s: float | None = None
        self._stamps: _Stamps | None = None  # of what was taken or refused last
        self._is_taken = False
        self._was_there = False
        self._told: tuple[Violation, ...] = ()
        self._state: tuple[SchemaSource, tuple[Violation, ...]] = (_source({}), ())

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Why the folder as it is now is not in force; empty when it is."""
        return self._state[1]

    def source(self) -> SchemaSource:
        """Return the state in force, which never changes; looks at the disk when it is time.

        A plan is given one state before it is handed in: it may not look at the
        disk itself.

        Raises:
            Unavailable: The folder could not be read yet; nothing may be written
                past rules that are not known.
        """
        # The first caller waits for the schemas; later ones go on with those in force.
        if self._looking.acquire(blocking=self._looked_at_s is None):
            try:
                self._look_when_due()
            finally:
                self._looking.release()
        return self._state[0]

    def _look_when_due(self) -> None:
        now_s = self._clock()
        if self._looked_at_s is not None and now_s - self._looked_at_s < INTERVAL_S:
            return
        try:
            self._look()
        except OSError as error:
            self._keep(f"cannot be read: {error.strerror or error}", error)
        except Unavailable as error:
            self._keep(f"cannot be checked: {error.message}", error)
        self._looked_at_s = self._clock()

    def _keep(self, message: str, error: Exception) -> None:
        """Leave in force what is, and tell why."""
        self._stamps = None
        self._tell((Violation(OPERATOR_FOLDER, message),))
        if not self._is_taken:
            raise Unavailable(f"operator schemas: {message}") from error

    def _look(self) -> None:
        stamps = _stamps(self._folder)
        if self._was_there and not self._folder.is_dir():
            raise FileNotFoundError("the folder is gone")
        if stamps != self._stamps:
            files = {path: _read(self._folder / path) for path in stamps if is_schema_path(path)}
            self._take(files, _misnamed(stamps))
            self._stamps = stamps
        self._was_there = self._was_there or self._folder.is_dir()

    def _take(self, files: dict[str, bytes], misnamed: list[Violation]) -> None:
        source = _source(files)
        schemas = (find_schema(path, source) for path in sorted(files))
        found = [each for schema in schemas if schema is not None for each in self._problems(schema)]
        violations = tuple(dict.fromkeys([*misnamed, *found]))
        # While nothing was taken yet, what is broken has to be: it refuses what it governs.
        if not violations or not self._is_taken:
            self._state = (source, violations)
            self._is_taken = True
        self._tell(violations)

    def _problems(self, schema: Schema) -> list[Violation]:
        try:
            return self._check(schema)
        except SchemaTooSlow as error:
            return [Violation(schema.name, error.message)]

    def _tell(self, violations: tuple[Violation, ...]) -> None:
        for violation in violations if violations != self._told else ():
            _LOG.error("operator schema not usable: %s", violation)
        self._told = violations
        self._state = (self._state[0], violations)


def _source(files: dict[str, bytes]) -> SchemaSource:
    return SchemaSource(OPERATOR_FOLDER, MappingProxyType(files).get, is_empty=not files)


def _stamps(folder: Path) -> _Stamps:
    """Return what tells that a file has changed, by path below the folder; empty when there is no folder."""
    return dict(_entries(os.fspath(folder), ""))


def _entries(folder: str, prefix: str) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in found:
        if entry.name.startswith("."):  # `..data` of a mounted ConfigMap, editors' temporary files
            continue
        if entry.is_dir():
            if prefix.count("/") >= MAX_SEGMENTS:  # links that lead in a circle
                continue
            yield from _entries(entry.path, f"{prefix}{entry.name}/")
        elif entry.name.lower().endswith(".json"):
            status = entry.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)
            yield prefix + entry.name, stamp


def _read(path: Path) -> bytes:
    """Return a file's bytes, of one that is too large enough to see that."""
    with path.open("rb") as file:
        return file.read(SCHEMA_BOUNDS.max_bytes + 1)


def _misnamed(stamps: _Stamps) -> list[Violation]:
    expected = "expected: the name of a service, or _default, and .json"
    return [
        Violation(f"{OPERATOR_FOLDER}/{path}", f"name: governs nothing ({expected})")
        for path in stamps
        if not is_schema_path(path)
    ]


def _check_here(schema: Schema) -> list[Violation]:
    # Not at the top, for it would hold up a start: see NOT_AT_START of the server.
    from configsvc.validation.compiled import check_schema

    return check_schema(schema)
