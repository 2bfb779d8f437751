"""The whole repository held to its schemas, in the background.

What comes through the gate conforms when it lands.  What does not may have been there
before its schema was: put by hand before the gate, or under other schemas of the
operator's, or the owner of a schema that its own refers to has changed that (ADR 0008).  It is
served all the same, and its owners should know.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from configsvc.core.errors import ConfigError, SchemaTooSlow, Unavailable
from configsvc.core.names import PRINCIPALS_FOLDER
from configsvc.core.reports import Violation
from configsvc.service.farreferences import far_references
from configsvc.service.staging import Staged
from configsvc.store.base import Snapshot
from configsvc.validation.conformance import Rules, SchemaGate
from configsvc.validation.schemas import REPOSITORY_FOLDER

INTERVAL_S = 2.0
"""How often it is looked whether there is anything to judge anew, in seconds."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a survey knows.

    Args:
        is_whole: Whether everything was judged, by the schemas that are in force.
        services: Those that do not conform, sorted.
        operator: Why the operator's schemas as they are now on disk are not in force.
        references: Schemas that refer to what one of their admins may not read; see `far_references`.
    """

    is_whole: bool = False
    services: tuple[str, ...] = ()
    operator: tuple[Violation, ...] = ()
    references: tuple[str, ...] = ()


class Survey:
    """Judges every document in a thread of its own; see `Findings`.

    Args:
        snapshot: Returns the newest durable state.
    """

    def __init__(self, gate: SchemaGate, snapshot: Callable[[], Snapshot]) -> None:
        self._gate = gate
        self._snapshot = snapshot
        self._broken: dict[str, Violation] = {}
        self._findings = Findings()
        self._put_off: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="configsvc-survey", daemon=True)

    def __enter__(self) -> Survey:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def findings(self) -> Findings:
        """What is known now."""
        return replace(self._findings, operator=self._gate.operator_violations)

    def _run(self) -> None:
        judged: Rules | None = None
        revision = 0
        schemas: str | None = None
        sides: tuple[str | None, ...] | None = None
        references: tuple[str, ...] = ()
        while not self._stopped.is_set():
            try:
                rules = self._gate.rules()
                snapshot = self._snapshot()
                now = snapshot.identity(REPOSITORY_FOLDER), snapshot.identity(PRINCIPALS_FOLDER)
                if now != sides:
                    references, sides = far_references(snapshot), now
                if judged is None or not rules.are_as(judged):
                    self._findings = Findings(False, self._findings.services, references=references)
                    self._judge(list(snapshot.services()), snapshot, rules)
                elif now[0] != schemas:  # the owner of a schema is not held up by those who refer to it
                    self._judge(list(snapshot.services()), snapshot, rules)
                elif self._put_off or (self._broken and snapshot.revision != revision):
                    self._judge([*self._broken, *self._put_off], snapshot, rules)
                judged, revision, schemas = rules, snapshot.revision, now[0]
                is_whole = not (self._stopped.is_set() or self._put_off)
                self._findings = Findings(is_whole, tuple(sorted(self._broken)), references=references)
            except ConfigError as error:
                _LOG.warning("survey: put off: %s", error.message)
            except Exception:  # noqa: BLE001 - the edge of a thread that must not die; logged
                _LOG.exception("survey: a round failed")
            self._stopped.wait(INTERVAL_S)

    def _judge(self, services: Iterable[str], snapshot: Snapshot, rules: Rules) -> None:
        tree = Staged(snapshot)
        for service in services:
            begin = time.monotonic()
            self._put_off.discard(service)
            try:
                violations = self._violations(service, tree, rules)
            except Unavailable:  # the workers have more urgent things to do
                self._put_off.add(service)
                continue
            if violations and service not in self._broken:
                _LOG.warning("survey: %s does not conform: %s", service, violations[0])
            if violations:
                self._broken[service] = violations[0]
            else:
                self._broken.pop(service, None)
            # As long again is left to those who read and write meanwhile.
            if self._stopped.wait(time.monotonic() - begin):
                return

    def _violations(self, service: str, tree: Staged, rules: Rules) -> list[Violation]:
        try:
            return rules.document_violations(service, tree)
        except SchemaTooSlow as error:
            return [Violation(service, error.message)]
