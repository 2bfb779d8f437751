"""All live configs of one client: how each gets its first value, and what follows them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from configsvc.client import calls
from configsvc.client.calls import Call
from configsvc.client.exchange import Exchange
from configsvc.client.failures import ClientClosed
from configsvc.client.live.binding import binder
from configsvc.client.live.book import Book
from configsvc.client.live.config import LiveConfig, View
from configsvc.client.live.disk import LastGood, server_name
from configsvc.client.live.follower import Follower
from configsvc.client.live.options import LiveOptions
from configsvc.client.live.reports import Reports
from configsvc.client.live.threads import LiveThread
from configsvc.client.paths import named
from configsvc.client.results import Document
from configsvc.client.retrying import Retries
from configsvc.client.transport import Transport
from configsvc.core.errors import ConfigError

_log = logging.getLogger("configsvc.client")

Bind = Callable[..., Any] | None
T = TypeVar("T")


class Run(Protocol):
    """Runs a call."""

    def __call__(self, call: Call[T], retries: Retries | None = None) -> T:
        """Return the result; see `Client.run`."""


class Common:
    """What both kinds of clients do alike."""

    def __init__(self, exchange: Exchange, options: LiveOptions) -> None:
        urls = exchange.endpoints.urls
        self.book = Book(options)
        self.follower = Follower(self.book, exchange, options)
        self.copies = None if options.cache_dir is None else LastGood(options.cache_dir, server_name(urls))
        self.retries = Retries(attempts=max(2, len(urls)), first_delay_s=0.1, max_delay_s=1.0)
        self._first_wait_s = options.first_wait_s

    @contextmanager
    def beginning(self, view: View[Any]) -> Iterator[Call[Document | None] | None]:
        """Give a view its first value: of the call that the block runs, of the copy on disk, or its default.

        Yields the call; None when the server need not be asked.

        Raises:
            ClientClosed: As the block does.
        """
        self.book.add(view)
        try:
            yield None if self._need_not_ask(view) else self._first_call(view.service)
        except ConfigError as error:
            if isinstance(error, ClientClosed):
                self.book.remove(view)
                raise
            self.book.trouble(view.service, error)
        except BaseException:  # a coroutine that is cancelled, say: nobody has the view
            self.book.remove(view)
            raise
        if view.source in ("none", "default"):
            self._stand_in(view)

    def _first_call(self, service: str) -> Call[Document | None]:
        call = calls.get(service, min_revision=self.book.position)
        return replace(call, request=replace(call.request, timeout_s=self._first_wait_s))

    def _need_not_ask(self, view: View[Any]) -> bool:
        """Return whether the server is known to be gone, and there is something else to begin with."""
        if not self.follower.is_failing:
            return False
        self._stand_in(view)
        return view.source != "none"

    def _stand_in(self, view: View[Any]) -> None:
        """Begin with the copy on disk, if there is one that fits."""
        kept = None if self.copies is None else self.copies.find(view.service)
        if kept is not None:
            self.book.found(view.service, kept)
        if view.source == "disk" and kept is not None:
            _log.warning(
                "%s: works from disk: version %s, %.0f s old", view.service, view.version, kept.age_s
            )


class LiveConfigs:
    """Those of a `Client`.

    Args:
        run: Runs a call.
    """

    def __init__(self, exchange: Exchange, transport: Transport, options: LiveOptions, run: Run) -> None:
        self._common = Common(exchange, options)
        self._transport = transport
        self._run = run
        self._lock = threading.Lock()  # guards the start, and that there is none after the end
        self._is_closed = False
        self._thread: LiveThread | None = None

    def make(self, service: str, bind: Bind, default: Any) -> LiveConfig[Any]:
        """Return a config that follows a service; see `Client.config`."""
        book = self._common.book
        view: LiveConfig[Any] = LiveConfig(named("service", service), binder(bind), default, book)
        with self._common.beginning(view) as call:
            if call is not None:
                book.read(view.service, self._run(call, self._common.retries))
        self._follow(view.service)
        return view

    def close(self) -> None:
        """Follow nothing any longer."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        if thread is not None:
            thread.close()

    def renew(self) -> None:
        """Begin anew in a forked process."""
        self._lock = threading.Lock()
        self._common.book.renew()
        if self._thread is not None:
            self._thread.renew()

    def _follow(self, service: str) -> None:
        has_to_wake = self._common.book.cover(service)
        with self._lock:
            if self._is_closed:
                return
            if self._thread is None:
                reports = Reports(self._run)
                self._thread = LiveThread(
                    self._common.follower, self._transport, self._common.copies, reports
                )
            elif has_to_wake:
                self._thread.wake()
