"""One config that follows the server, as an application sees it."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, Protocol, TypeVar

from configsvc.client.failures import BindingFailed, NotReady
from configsvc.client.live.binding import Bind, members
from configsvc.client.live.difference import changed_pointers
from configsvc.client.results import Document

T = TypeVar("T")
Source = Literal["server", "disk", "default", "none"]

_log = logging.getLogger("configsvc.client")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A version that was adopted.

    Args:
        old: The value before; None when there was none.
        old_version: Its number; None when it was a default, or when there was none.
        changed: JSON pointers of the smallest parts of the document that differ.
    """

    service: str
    old: T | None
    new: T
    old_version: int | None
    version: int
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a live config, for a health check or a log.

    Args:
        source: Where the value is from; `disk` and `default` are used until the server answers.
        version: None for a default, and for no value.
        age_s: As `View.age_s`.
        is_connected: Whether the server tells of changes now.
        refusals: Versions that did not fit the type, so far.
        problem: Why the value is not the server's newest; empty when it is.
    """

    source: Source
    version: int | None
    age_s: float | None
    is_connected: bool
    refusals: int
    problem: str


class Place(Protocol):
    """What a config is followed by."""

    def age_s(self, service: str) -> float | None:
        """Return the seconds since what is known of a service was the newest; None for never."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a watch."""

    def remove(self, view: View[Any]) -> None:
        """Follow it no longer."""


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    """A value with all that belongs to it, so that a reader never sees parts of two versions."""

    value: T
    document: Mapping[str, Any]
    version: int | None
    etag: str
    source: Source


@dataclass(frozen=True, slots=True)
class Rejection:
    """The newest version, which does not fit.

    Args:
        problem: Why, for people.
        findings: Why, a pointer and a message each, without values.
    """

    etag: str
    version: int
    problem: str
    findings: tuple[Mapping[str, str], ...]
    at_s: float


class View(ABC, Generic[T]):
    """What threads and coroutines have in common; only the one who follows the server changes it.

    Args:
        default: The value until there is a better one; None for none.
    """

    def __init__(self, service: str, bind: Bind, default: T | None, place: Place) -> None:
        self.service = service
        self._bind = bind
        self._place = place
        self._callbacks: list[Callable[[Change[T]], object]] = []
        self._pending: deque[Change[T]] = deque()
        self._problem = ""
        self._refusals = 0
        self._refused: Rejection | None = None
        self._unreported: Rejection | None = None
        self._held: _Held[T] | None = None
        if default is not None:
            self._held = _Held(default, members(default), None, "", "default")
            self._announce(is_fresh=False)

    @property
    def value(self) -> T:
        """The newest version that was adopted; the same object until there is another one.

        Raises:
            NotReady: There was none so far.
        """
        return self._value().value

    def __getitem__(self, key: str) -> Any:
        """Return a member of the document.

        Raises:
            KeyError: It has none of that name.
            NotReady: There is no document so far.
        """
        return self._value().document[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return a member of the document, or `default` when it has none of that name."""
        return self._value().document.get(key, default)

    @property
    def version(self) -> int | None:
        """Number of the version; None for a default, and for no value."""
        return None if self._held is None else self._held.version

    @property
    def source(self) -> Source:
        """Where the value is from: `server`, `disk`, `default` or `none`."""
        return "none" if self._held is None else self._held.source

    @property
    def age_s(self) -> float | None:
        """Seconds since the value was last known to be the newest; 0 while the watch says that it is.

        None for a default, and for no value.
        """
        if self.version is None:
            return None
        age_s, refused = self._place.age_s(self.service), self._refused
        if age_s is None or refused is None:
            return age_s
        return max(age_s, time.monotonic() - refused.at_s)

    @property
    def status(self) -> Status:
        """All of it, and what is wrong if anything is."""
        held = self._held
        source, version = ("none", None) if held is None else (held.source, held.version)
        return Status(source, version, self.age_s, self._place.is_connected, self._refusals, self._problem)

    def forget(self, callback: Callable[..., object]) -> None:
        """Call `callback` no longer.

        Raises:
            ValueError: It is not called.
        """
        self._callbacks.remove(callback)

    def close(self) -> None:
        """Follow the server no longer; the value stays as it is."""
        self._place.remove(self)

    @property
    def is_pending(self) -> bool:
        """Whether callbacks are to be told of something."""
        return bool(self._pending)

    def offer(self, document: Document, source: Literal["server", "disk"]) -> bool:
        """Adopt a document if it fits; return whether it is the one that is held now."""
        held = self._held
        if held is not None and (held.version, held.etag) == (document.version, document.etag):
            self._problem, self._refused = "", None
            self._confirm(held, source)
            return True
        if self._refused is not None and document.etag == self._refused.etag:
            self._problem = self._refused.problem
            return False
        try:
            if not isinstance(document.value, Mapping):
                raise BindingFailed(f"document: {type(document.value).__name__} (expected: an object)")
            value: T = self._bind(document.value)
        except BindingFailed as error:
            self._refuse(document, error, source)
            return False
        self._adopt(document, document.value, value, source)
        return True

    def take_rejection(self) -> Rejection | None:
        """Return a version of the server's that was refused and of which nobody was told; once."""
        rejection, self._unreported = self._unreported, None
        return rejection

    def renew(self) -> None:
        """Let go of locks that a thread of the parent process may hold, after a fork."""

    @abstractmethod
    def _announce(self, *, is_fresh: bool) -> None:
        """Let those go on who wait for a value, or for one of the server."""

    def trouble(self, problem: str) -> None:
        """Note why the newest version could not be read; it is logged when that is another reason."""
        if problem != self._problem:
            self._problem = problem
            held = self._held
            has = "no value" if held is None else f"{held.source}, version {held.version}"
            _log.warning("%s: %s (goes on with: %s)", self.service, problem, has)

    def _value(self) -> _Held[T]:
        held = self._held
        if held is None:
            raise NotReady(f"{self.service}: no value so far: {self._problem or 'it is being asked for'}")
        return held

    def _not_ready(self, timeout_s: float) -> NotReady:
        why = self._problem or "no answer came"
        return NotReady(f"{self.service}: not ready after {timeout_s:g} s, {self.source}: {why}")

    def _confirm(self, held: _Held[T], source: Source) -> None:
        if source == "server" and held.source != "server":
            self._held = replace(held, source=source)
            self._announce(is_fresh=True)

    def _refuse(self, document: Document, error: BindingFailed, source: Source) -> None:
        self._refusals += 1
        problem = f"version {document.version} is not adopted: {error.message}"
        findings = tuple(map(_without_values, error.details or ({"message": error.message},)))
        self._refused = Rejection(document.etag, document.version, problem, findings, time.monotonic())
        if source == "server":
            self._unreported = self._refused
        self.trouble(problem)

    def _adopt(self, document: Document, members_: Mapping[str, Any], value: T, source: Source) -> None:
        held, self._problem, self._refused = self._held, "", None
        if self._callbacks:
            old, old_version = (None, None) if held is None else (held.value, held.version)
            before = {} if held is None else held.document
            changed = tuple(changed_pointers(before, members_))
            self._pending.append(Change(self.service, old, value, old_version, document.version, changed))
        self._held = _Held(value, members_, document.version, document.etag, source)
        self._announce(is_fresh=source == "server")
        if source == "server":
            _log.info("%s: version %d is adopted", self.service, document.version)

    def _failed(self, callback: Callable[..., object], change: Change[T]) -> None:
        """Log the exception that a callback raised."""
        name = getattr(callback, "__qualname__", repr(callback))
        _log.exception("%s: %s raised, told of version %d", self.service, name, change.version)


class LiveConfig(View[T]):
    """A config that follows the server.  May be used by any thread; reading it never waits."""

    def __init__(self, service: str, bind: Bind, default: T | None, place: Place) -> None:
        self._ready, self._fresh = threading.Event(), threading.Event()
        super().__init__(service, bind, default, place)

    def wait_ready(self, timeout_s: float, *, from_server: bool = False) -> None:
        """Wait until there is a value.

        Args:
            timeout_s: Longest wait, in seconds, >= 0.
            from_server: A copy on disk or a default will not do.

        Raises:
            NotReady: There is none after that time.
        """
        flag = self._fresh if from_server else self._ready
        if not flag.wait(timeout_s):
            raise self._not_ready(timeout_s)

    def on_change(self, callback: Callable[[Change[T]], object]) -> Callable[[Change[T]], object]:
        """Have `callback` called with each `Change` from now on, in order, once for each adopted version.

        It is called by the thread that follows the server, so while it runs no other config of this client
        gets newer.  What it raises is logged.  Returns `callback`: this may decorate it.
        """
        self._callbacks.append(callback)
        return callback

    def renew(self) -> None:
        """Let go of locks that a thread of the parent process may hold, after a fork."""
        self._ready, self._fresh = _copied(self._ready), _copied(self._fresh)

    def _announce(self, *, is_fresh: bool) -> None:
        self._ready.set()
        if is_fresh:
            self._fresh.set()

    def deliver(self) -> None:
        """Tell the callbacks what is pending."""
        while self._pending:
            # Taken out only afterwards: a process that is forked in between tells its own callbacks.
            for callback in tuple(self._callbacks):
                try:
                    callback(self._pending[0])
                except BaseException:  # noqa: BLE001 - logged by the next line; sys.exit() ends no thread of ours
                    self._failed(callback, self._pending[0])
            self._pending.popleft()


def _without_values(detail: Mapping[str, object]) -> Mapping[str, str]:
    return {
        "pointer": str(detail.get("pointer", "")),
        "message": str(detail.get("kind") or detail["message"]),
    }


def _copied(flag: threading.Event) -> threading.Event:
    new = threading.Event()
    if flag.is_set():
        new.set()
    return new
