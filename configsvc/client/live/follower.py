"""Follows all services of a client by one watch, as a generator that does no I/O.

The watch only tells that there is something new; the newest document is read then. So a burst of
versions, or all those of an outage, are one read, and what is read last is head. A service is asked for
again until that was possible.

Only when every server says that it has not come as far as the client knows (a backup was restored, say)
all is read anew, whatever version it is.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Generator
from dataclasses import replace

from configsvc.client import calls
from configsvc.client.calls import Call
from configsvc.client.exchange import Exchange, Pause
from configsvc.client.failures import AnswerInvalid, ClientClosed, NoAnswer, refusal_of
from configsvc.client.live.book import Book, backoff_s
from configsvc.client.live.coverage import Coverage
from configsvc.client.live.events import Event, EventParser
from configsvc.client.live.options import LiveOptions
from configsvc.client.live.reports import report_of
from configsvc.client.live.steps import (
    Confirm,
    Hangup,
    LiveCame,
    LiveStep,
    Open,
    Opened,
    Receive,
    Report,
    Save,
    Tell,
)
from configsvc.client.messages import Answer
from configsvc.client.parsing import number_of
from configsvc.client.results import Document
from configsvc.client.retrying import Retries, is_transient, retry_after_s
from configsvc.core.errors import ConfigError, RequestInvalid

_log = logging.getLogger("configsvc.client")

GATHERING_S = 0.03
"""A watch that is to be about more services is begun after so long: more may come."""
UNREACHED_FOR_S = 5.0
"""A server that lags behind has caught up after so long; one that has not has another history."""
LONGEST_ASKED_S = 60.0
"""Longest pause that a server may ask for, in seconds: nothing is followed meanwhile."""
STEADY_AFTER_S = 5.0
"""A watch that lasted so long ends a series of failures."""

Steps = Generator[LiveStep, LiveCame, None]


class Follower:
    """Keeps a book up with the server.  `steps` is run by one thread or task.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        book: Book,
        exchange: Exchange,
        options: LiveOptions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._exchange = exchange
        self._options = options
        self._clock = clock
        self._is_closed = False
        self._by_prefix = False
        self._is_outage_told = False
        self._failures = 0
        self._unreached = 0
        self._unreached_since_s = 0.0
        self._recheck_s = self._next_recheck_s()
        self._retries = Retries(attempts=2, first_delay_s=options.first_delay_s, max_delay_s=1.0)

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to begin a watch failed."""
        return self._failures > 0 and not self._book.is_connected

    @property
    def is_closed(self) -> bool:
        """Whether the steps are to end."""
        return self._is_closed

    def close(self) -> None:
        """End the steps at the next one."""
        self._is_closed = True

    def given_up(self) -> None:
        """Note that the steps ended by a bug, and the watch with them; they may be begun anew."""
        self._book.lost()

    def steps(self) -> Steps:
        """Yield what is to be done, until the follower is closed."""
        while not self._is_closed:
            pause_s = yield from self._watch()
            yield Hangup()
            yield Confirm(self._book.lost())
            if not self._is_closed:
                yield from self._settle()
                yield Pause(pause_s)
        yield from self._save()

    def _watch(self) -> Generator[LiveStep, LiveCame, float]:
        """Follow one watch to its end; return the seconds to wait before the next one."""
        coverage = self._book.plan(by_prefix=self._by_prefix)
        if coverage is None:
            return self._options.max_delay_s
        url = self._exchange.endpoints.choose()
        request = coverage.request(self._book.position, self._options.silence_s)
        came = yield Open(url, self._exchange.dressed(request))
        if not isinstance(came, Opened) or not _is_event_stream(came):
            return self._not_opened(url, coverage, came)
        self._opened(url, coverage, came)
        yield from self._settle()
        parser, began_s, is_silent = EventParser(), self._clock(), True
        while not self._is_closed and not self._book.must_reopen:
            if (wait_s := self._book.next_try_s()) is not None:
                # Who waits for bytes can wait for nothing else.
                self._failures += 1
                return max(wait_s, backoff_s(self._options, self._failures, self._options.max_delay_s))
            came = yield Receive()
            if not isinstance(came, bytes) or not came:
                break
            is_silent = False
            try:
                goes_on = self._take(parser.feed(came))
            except (AnswerInvalid, KeyError, TypeError, ValueError) as error:
                _log.warning("watch: not understood: %r", error)
                break
            yield from self._settle()
            if not goes_on:
                return self._sent_away(url, parser)
            if self._clock() - began_s > STEADY_AFTER_S:
                self._failures = 0
        return self._ended(url, is_silent=is_silent)

    def _opened(self, url: str, coverage: Coverage, opened: Opened) -> None:
        self._unreached = 0
        self._is_outage_told = False
        self._exchange.endpoints.answered(url)
        revision = opened.headers.get("config-revision", "")
        self._book.opened(coverage, int(revision) if revision.isdecimal() else None)

    def _not_opened(self, url: str, coverage: Coverage, came: LiveCame) -> float:
        """Note why there is no watch; return the seconds to wait."""
        if isinstance(came, Answer) and came.status == 404 and coverage.services:
            self._by_prefix = True  # one of the names may not be read; a prefix asks for no names
            return 0.0
        least_s = 0.0
        if isinstance(came, Answer) and came.status >= 400:
            refusal = refusal_of(came)
            least_s = min(LONGEST_ASKED_S, retry_after_s(came.headers.get("retry-after", "")))
            if isinstance(refusal, RequestInvalid) and self._book.position is not None:
                self._has_not_come_so_far()
            elif not is_transient(refusal):
                least_s = max(least_s, self._options.max_delay_s)
            error: ConfigError = refusal
        else:
            error = came if isinstance(came, NoAnswer) else AnswerInvalid("watch: no stream of events")
        if not self._is_outage_told:
            self._is_outage_told = True
            _log.warning("watch: %s; tried again until it works", error.message)
        return least_s + self._failed(url)

    def _has_not_come_so_far(self) -> None:
        if self._unreached == 0:
            self._unreached_since_s = self._clock()
        self._unreached += 1
        lasted_s = self._clock() - self._unreached_since_s
        if self._unreached < max(2, len(self._exchange.endpoints.urls)) or lasted_s < UNREACHED_FOR_S:
            return
        position = self._book.position
        _log.warning("watch: no server has revision %s; all is read anew as it is there", position)
        self._unreached = 0
        self._exchange.forget_writes()
        self._book.forget_history()

    def _take(self, events: list[Event]) -> bool:
        """Note what events tell; return whether more can come."""
        for event in events:
            self._failures = 0
            if event.kind == "change":
                self._book.changed(event)
            elif event.kind == "reconnect":
                return False
            elif event.kind == "error":
                _log.warning("watch: ended: %s", event.data.get("detail", ""))
                return False
        return True

    def _sent_away(self, url: str, parser: EventParser) -> float:
        """Return the seconds until one may come again to, or instead of, a server that ends the watch."""
        is_alone = len(self._exchange.endpoints.urls) == 1
        return self._failed(url) + (min(LONGEST_ASKED_S, parser.retry_s or 0.0) if is_alone else 0.0)

    def _ended(self, url: str, *, is_silent: bool) -> float:
        if self._is_closed:
            return 0.0
        if self._book.must_reopen:
            return GATHERING_S
        if is_silent:
            # Something between here and there holds back what the server says: ask instead.
            self._recheck_s = self._clock()
        return self._failed(url)

    def _failed(self, url: str) -> float:
        self._failures += 1
        self._exchange.endpoints.failed(url)
        return backoff_s(self._options, self._failures, self._options.max_delay_s)

    def _settle(self) -> Steps:
        """Read what is due, tell the callbacks, keep copies."""
        is_recheck = self._clock() >= self._recheck_s
        if is_recheck:
            self._recheck_s = self._next_recheck_s()
            self._book.all_are_due()
        try:
            yield from self._read_due()
        except ClientClosed:
            return
        for view in self._book.untold():  # read by who made another view of the service
            yield Tell(view)
        yield from self._save()
        yield from self._report()
        if is_recheck:
            yield Confirm(self._book.current())

    def _read_due(self) -> Steps:
        for service, known in self._book.due():
            if self._is_closed:
                return
            tag = None if known.document is None else known.document.etag
            try:
                yield from self._read(service, tag)
            except ClientClosed:
                raise
            except ConfigError as error:
                self._book.trouble(service, error)
                if isinstance(error, NoAnswer):
                    return
            for view in tuple(known.views):
                if view.is_pending:
                    yield Tell(view)

    def _read(self, service: str, tag: str | None) -> Steps:
        """Read the newest version, at the book's position at least."""
        # Without a parameter servers answer out of memory, and nearly always that is new enough.
        document, revision = yield from self._exchange.run(_newest(service, tag), self._retries)
        position = self._book.position
        if position is not None and revision < position:
            call = calls.get(service, min_revision=position, if_none_match=tag)
            document = yield from self._exchange.run(call, self._retries)
        self._book.read(service, document)

    def _report(self) -> Steps:
        """Have the server told, once, of versions that do not fit; nothing depends on it."""
        rejected = self._book.rejected()
        if self._options.report_rejections:
            for service, rejection in rejected:
                yield Report(report_of(service, rejection, self._options.application))

    def _save(self) -> Steps:
        for known in self._book.unsaved():
            document = known.document
            if document is not None:
                if not (yield Save(document)):
                    return  # the disk is full, say; tried again later
                known.is_unsaved = known.document is not document

    def _next_recheck_s(self) -> float:
        spread = random.uniform(0.75, 1.25)  # noqa: S311 - spreads clients, guards nothing
        return self._clock() + self._options.recheck_s * spread


def _newest(service: str, tag: str | None) -> Call[tuple[Document | None, int]]:
    """Return the call for a document, if it is not the one with `tag`, and the revision of the answer."""
    call = calls.get(service, if_none_match=tag)

    def parse(answer: Answer) -> tuple[Document | None, int]:
        return call.parse(answer), number_of(answer, "config-revision")

    return Call(replace(call.request, takes_min_revision=False), parse)


def _is_event_stream(opened: Opened) -> bool:
    return opened.headers.get("content-type", "").startswith("text/event-stream")
