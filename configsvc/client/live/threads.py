"""The one thread that follows the server for all live configs of a client."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from configsvc.client.exchange import Pause, Send
from configsvc.client.failures import NoAnswer
from configsvc.client.live.config import LiveConfig
from configsvc.client.live.disk import LastGood
from configsvc.client.live.follower import Follower
from configsvc.client.live.reports import Reports
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
from configsvc.client.transport import Stream, Transport

_log = logging.getLogger("configsvc.client")

AFTER_A_BUG_S = 5.0
"""Pause after an exception that nobody expected, in seconds."""
END_WITHIN_S = 5.0
"""How long `close` waits for the thread, in seconds; it is a daemon, and ends soon after."""


class LiveThread:
    """Runs the steps of a follower.

    Args:
        copies: None keeps none.
    """

    def __init__(
        self, follower: Follower, transport: Transport, copies: LastGood | None, reports: Reports
    ) -> None:
        self._follower = follower
        self._transport = transport
        self._copies = copies
        self._reports = reports
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self._stream: Stream | None = None
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="configsvc-watch", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have the follower look up from what it waits for."""
        self._woken.set()
        stream = self._stream
        if stream is not None:
            stream.interrupt()

    def close(self) -> None:
        """End the thread; callbacks that it is in are finished before.  Twice is harmless."""
        self._is_closed = True
        self._follower.close()
        self._reports.close()
        self.wake()
        # A callback may close the client.
        if self._thread is not threading.current_thread():
            self._thread.join(END_WITHIN_S)

    def renew(self) -> None:
        """Begin anew in a forked process, where the thread is not."""
        if self._stream is not None:
            self._stream.disown()
        self._reports.renew()
        if not self._is_closed:
            self._begin()

    def _run(self) -> None:
        mine = threading.current_thread()
        steps = self._follower.steps()
        came: LiveCame = None
        try:
            # Another thread is in charge when a callback has forked, and this is the child.
            while self._thread is mine:
                try:
                    came = self._take(steps.send(came))
                except StopIteration:
                    return
                except Exception:  # noqa: BLE001 - the edge of a thread that must not die; logged
                    if self._follower.is_closed:
                        _log.debug("watch: ended", exc_info=True)
                        return
                    _log.exception("watch: begun anew after a bug")
                    self._follower.given_up()
                    steps, came = self._follower.steps(), None
                    self._hang_up()
                    self._woken.wait(AFTER_A_BUG_S)
                    self._woken.clear()
        finally:
            if self._thread is mine:
                self._hang_up()

    def _take(self, step: LiveStep) -> LiveCame:
        match step:
            case Send() | Open() | Receive():
                try:
                    return self._asked(step)
                except NoAnswer as error:
                    return error
            case Pause(seconds):
                self._woken.wait(seconds)
                self._woken.clear()
            case Hangup():
                self._hang_up()
            case Tell(view):
                assert isinstance(view, LiveConfig)
                view.deliver()
            case Report(call):
                self._reports.add(call)
            case Save(document):
                return self._copies is None or self._copies.save(document)
            case Confirm(services):
                if self._copies is not None:
                    self._copies.confirm(services)
        return None

    def _asked(self, step: Send | Open | Receive) -> LiveCame:
        if isinstance(step, Send):
            return self._transport.send(step.base_url, step.request)
        if isinstance(step, Receive):
            return b"" if self._stream is None else self._stream.read()
        stream = self._stream = self._transport.stream(step.base_url, step.request)
        if stream.status == 200:
            return Opened(stream.headers)
        try:
            return Answer(stream.status, stream.headers, _whole(stream.read))
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _whole(read: Callable[[], bytes]) -> bytes:
    return b"".join(iter(read, b""))
