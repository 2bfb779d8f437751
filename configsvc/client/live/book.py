"""What a client knows of the services that it follows.  Thread-safe, no I/O.

`position` is the revision up to which everything was told or read; a watch resumes from there. What is
read is at that revision at least, so that no server that lags behind turns anything back.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from configsvc.client.failures import NoAnswer, Refused
from configsvc.client.live.config import Rejection, View
from configsvc.client.live.coverage import Coverage, coverage_of
from configsvc.client.live.disk import Kept
from configsvc.client.live.events import Event
from configsvc.client.live.options import LiveOptions
from configsvc.client.results import Document
from configsvc.client.retrying import is_transient
from configsvc.core.errors import ConfigError

LASTING_S = 60.0
"""Longest pause until a service that does not exist, or may not be read, is asked for again, in seconds."""


@dataclass(slots=True)
class Known:
    """What is known of one service.

    Args:
        document: What was read last, or found on disk.
        revision: State of the repository that was read; 0 for none.
        told: Last revision of which the watch said that it changed the service.
        as_of_s: When `document` was last known to be the newest, by the book's clock; None for never.
        is_due: Whether it has to be read.
        due_s: Not before then.
        failures: Reads in a row that failed.
        is_lasting: Whether the last failure is one that only a change on the server mends.
        is_unsaved: Whether it fits all views and is not on disk.
    """

    views: list[View[Any]] = field(default_factory=list)
    document: Document | None = None
    revision: int = 0
    told: int = 0
    as_of_s: float | None = None
    is_due: bool = True
    due_s: float = 0.0
    failures: int = 0
    is_lasting: bool = False
    is_unsaved: bool = False


class Book:
    """The services of one client.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, options: LiveOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._lock = threading.RLock()  # guards all below, and what the views hold
        self._services: dict[str, Known] = {}
        self._rejected: dict[str, str] = {}  # by service, the tag of the last version that did not fit
        self._position: int | None = None
        self._coverage: Coverage | None = None
        self._must_reopen = False
        self._is_idle = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a watch."""
        return self._coverage is not None

    @property
    def must_reopen(self) -> bool:
        """Whether there is a service that the watch is not about."""
        return self._must_reopen

    @property
    def position(self) -> int | None:
        """Revision up to which all was told or read; None before the first answer."""
        return self._position

    def age_s(self, service: str) -> float | None:
        """Return the seconds since what is known of a service was the newest; None for never."""
        with self._lock:
            known = self._services.get(service)
            if known is None or known.as_of_s is None:
                return None
            return 0.0 if self._is_current(service, known) else max(0.0, self._clock() - known.as_of_s)

    def add(self, view: View[Any]) -> None:
        """Follow a service for one more view; it is due to be read."""
        with self._lock:
            known = self._services.setdefault(view.service, Known())
            known.views.append(view)
            known.is_due, known.due_s, known.is_lasting = True, 0.0, False

    def remove(self, view: View[Any]) -> None:
        """Follow it for a view no longer; twice is harmless."""
        with self._lock:
            known = self._services.get(view.service)
            if known is not None and view in known.views:
                known.views.remove(view)
                if not known.views:
                    del self._services[view.service]

    def cover(self, service: str) -> bool:
        """Have the watch be about a service; return whether the one who follows has to look up for that."""
        with self._lock:
            known = self._services.get(service)
            if known is not None and any(view.is_pending for view in known.views):
                # What was read for this view is news to another one, and only who follows tells that.
                self._must_reopen = self._coverage is not None
                return True
            if self._coverage is None or self._coverage.covers(service):
                return self._is_idle
            if known is not None and known.revision and self._position is not None:
                # Between that state and the position something may have been told, to nobody.
                self._position = min(self._position, known.revision)
            self._must_reopen = True
            return True

    def read(self, service: str, document: Document | None) -> None:
        """Take in what a server answered; an older state than is known is passed over.

        Args:
            document: None when it is still the one that is known.
        """
        with self._lock:
            known = self._services.get(service)
            if known is None or (document is not None and document.revision < known.revision):
                return
            if document is None:
                document, revision = known.document, self._position or 0
                if document is None:
                    return
            else:
                revision = document.revision
                self._position = revision if self._position is None else self._position
            is_new = known.document is None or known.document.etag != document.etag
            taken = [view.offer(document, "server") for view in known.views]
            # After the views: in a process that is forked in between it is read again.
            known.document, known.revision = document, max(revision, known.revision)
            known.is_unsaved = all(taken) and (is_new or known.is_unsaved)
            if revision >= known.told:
                self._settle(known)

    def found(self, service: str, kept: Kept) -> None:
        """Take in the copy on disk, for views that have no better value."""
        with self._lock:
            known = self._services.get(service)
            if known is None:
                return
            for view in known.views:
                if view.source in ("none", "default"):
                    view.offer(kept.document, "disk")
            if known.document is None:
                known.document = kept.document
                known.as_of_s = self._clock() - kept.age_s

    def trouble(self, service: str, error: ConfigError) -> None:
        """Note that a service could not be read; it is due again after a while."""
        with self._lock:
            known = self._services.get(service)
            if known is None:
                return
            known.is_lasting = isinstance(error, Refused) and error.status < 500 and not is_transient(error)
            known.is_due = True
            known.failures += 1
            longest_s = LASTING_S if known.is_lasting else self._options.max_delay_s
            known.due_s = self._clock() + backoff_s(self._options, known.failures, longest_s)
            if isinstance(error, NoAnswer):
                # The others would have none either.
                for other in self._services.values():
                    other.due_s = max(other.due_s, known.due_s)
            for view in known.views:
                view.trouble(error.message)

    def changed(self, event: Event) -> None:
        """Note what the watch tells of a revision.

        Raises:
            KeyError, TypeError, ValueError: It is no such event.
        """
        revision = int(event.data["revision"])
        with self._lock:
            for told in event.data["services"]:
                known = self._services.get(told["service"])
                if known is None or revision <= known.revision:
                    continue
                known.told = revision
                if told["deleted"]:
                    known.revision = revision
                    self._settle(known)
                    for view in known.views:
                        view.trouble(f"deleted by version {told['version']}; the last value stays")
                else:
                    known.is_due, known.due_s, known.failures, known.is_lasting = True, 0.0, 0, False
            # Last: in a process that is forked in between it is told again.
            self._position = max(revision, self._position or 0)

    def plan(self, *, by_prefix: bool) -> Coverage | None:
        """Return what the next watch has to be about; None when nothing is followed."""
        with self._lock:
            self._must_reopen = False
            self._is_idle = not self._services
            return None if self._is_idle else coverage_of(self._services, by_prefix=by_prefix)

    def opened(self, coverage: Coverage, revision: int | None) -> None:
        """Note that there is a watch.

        Args:
            revision: The server's; where there is no position yet, the watch tells what comes after it.
        """
        with self._lock:
            if self._position is None:
                self._position = revision
                self.all_are_due()
            self._coverage = coverage
            self._must_reopen = not all(map(coverage.covers, self._services))

    def lost(self) -> tuple[str, ...]:
        """Note that there is no watch; return the services of which the newest was known until now."""
        with self._lock:
            current = self.current()
            for service in current:
                self._services[service].as_of_s = self._clock()
            self._coverage = None
            return current

    def current(self) -> tuple[str, ...]:
        """Return the services of which the newest version is known."""
        with self._lock:
            return tuple(name for name, known in self._services.items() if self._is_current(name, known))

    def due(self) -> list[tuple[str, Known]]:
        """Return what has to be read now."""
        now_s = self._clock()
        with self._lock:
            return [
                (service, known)
                for service, known in self._services.items()
                if known.is_due and known.due_s <= now_s
            ]

    def next_try_s(self) -> float | None:
        """Return the seconds until a read that failed may be tried again; None for nothing to wait for."""
        with self._lock:
            waiting = [each.due_s for each in self._services.values() if each.is_due and not each.is_lasting]
        return max(0.0, min(waiting) - self._clock()) if waiting else None

    def untold(self) -> list[View[Any]]:
        """Return the views whose callbacks are to be told of something."""
        with self._lock:
            return [view for known in self._services.values() for view in known.views if view.is_pending]

    def unsaved(self) -> list[Known]:
        """Return what is to be kept on disk."""
        with self._lock:
            return [known for known in self._services.values() if known.is_unsaved]

    def rejected(self) -> list[tuple[str, Rejection]]:
        """Return the versions that views refused since this was called last, each once."""
        told: list[tuple[str, Rejection]] = []
        with self._lock:
            for service, known in self._services.items():
                for view in known.views:
                    rejection = view.take_rejection()
                    if rejection is not None and self._rejected.get(service) != rejection.etag:
                        self._rejected[service] = rejection.etag
                        told.append((service, rejection))
        return told

    def all_are_due(self) -> None:
        """Have everything be read."""
        with self._lock:
            for known in self._services.values():
                known.is_due, known.due_s = True, 0.0

    def forget_history(self) -> None:
        """Have everything be read, whatever revision it is of, and be followed from there."""
        with self._lock:
            self._position = None
            for known in self._services.values():
                known.revision = known.told = 0
            self.all_are_due()

    def renew(self) -> None:
        """Let go of the parent's lock and watch, after a fork."""
        self._lock = threading.RLock()
        self._coverage = None
        self._must_reopen = False
        for known in self._services.values():
            for view in known.views:
                view.take_rejection()  # the parent tells of it
                view.renew()

    def _is_current(self, service: str, known: Known) -> bool:
        return not known.is_due and self._coverage is not None and self._coverage.covers(service)

    def _settle(self, known: Known) -> None:
        known.is_due = known.is_lasting = False
        known.failures = 0
        known.as_of_s = self._clock()


def backoff_s(options: LiveOptions, failures: int, longest_s: float) -> float:
    """Return the pause after so many failures: random, longer each time, at most `longest_s`."""
    most = min(longest_s, options.first_delay_s * 2.0 ** min(failures - 1, 30))
    return random.uniform(0.1 * most, most)  # noqa: S311 - spreads clients, guards nothing
