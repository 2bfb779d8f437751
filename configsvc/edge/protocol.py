"""uvicorn's HTTP protocol with deadlines, caps, and one rule of framing.

This leans on inner names of uvicorn 0.54 (`cycle`, `flow`, `pipeline`,
`connections`), so that release is pinned, and the tests of this module send
every case through a real server.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from configsvc.api.problems import Problem, http_problem
from configsvc.edge.asgi_types import header_lines
from configsvc.edge.connections import (
    LINGER_S,
    MAX_HEADERS,
    MAX_PIPELINED,
    OVERFLOW_CONNECTIONS,
    Parked,
    ProtocolLimits,
)
from configsvc.edge.deadline import Deadline, start, stop
from configsvc.edge.framing import check_head
from configsvc.edge.lean import LeanProtocol
from configsvc.edge.ready import ReadyAnswers
from configsvc.edge.refusals import Refusals, Refused
from configsvc.edge.transport import ClosingTransport


class EdgeProtocol(LeanProtocol):
    """One connection.

    Args:
        ready: Answers what it can as soon as the head is parsed, without a task and without ASGI.
    """

    __slots__ = (
        *("_answered_s", "_head_deadline", "_is_answered", "_is_body_open", "_is_head_open", "_is_upgrade"),
        *("_limits", "_parked", "_ready", "_refusal", "_refusals", "_running", "_stash", "_unparsed_bytes"),
        "_write_deadline",
    )
    transport: ClosingTransport

    def __init__(
        self,
        *args: Any,
        limits: ProtocolLimits,
        refusals: Refusals,
        ready: ReadyAnswers | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._ready = ready
        self._answered_s = 0.0  # by the loop's clock, when it was answered last without ASGI
        self._parked: Parked | None = None
        self._stash = b""  # what came while it was parked
        self._is_answered = False  # the request that is being parsed was
        self._limits = limits
        self._refusals = refusals
        self._head_deadline: Deadline | None = None
        self._write_deadline: Deadline | None = None
        self._refusal: Problem | None = None
        self._running: RequestResponseCycle | None = None
        self._is_head_open = False
        self._is_body_open = False
        self._is_upgrade = False
        self._unparsed_bytes = 0  # of an open head, or of a body that yields nothing (trailers)

    # Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a connection too many is told so and closed."""
        inner = cast(asyncio.Transport, transport)
        flush_s = self._limits.write_timeout_s
        super().connection_made(ClosingTransport(inner, linger_s=LINGER_S, flush_s=flush_s))
        self._wait_idly(self._limits.keep_alive_s)  # uvicorn's own timer starts with the first answer
        excess = len(self.connections) - self._limits.max_connections
        if excess > OVERFLOW_CONNECTIONS:
            self.transport.abort()
        elif excess > 0:
            message = f"connections: {self._limits.max_connections} are open already"
            self._refuse(http_problem(503, message))

    def connection_lost(self, exc: Exception | None) -> None:
        """End: tell the request that runs, and drop every timer."""
        super().connection_lost(exc)
        if self._parked is not None:
            self._parked.leave()
            self._parked = None
        if self._running is not None and not self._running.response_complete:
            # uvicorn tells the newest request only, which may still wait behind this one.
            self._running.disconnected = True
            self._running.message_event.set()
        self._unset_keepalive_if_required()
        for deadline in filter(None, (self._head_deadline, self._write_deadline)):
            deadline.end()
        self.transport.forget()

    def eof_received(self) -> None:
        """Hang up too; a client that leaves its answer unread gets no more time than others for that."""
        self.transport.close_at_once()

    def shutdown(self) -> None:
        """Let a connection go on which nothing happens; else the answer under way is the last.

        Clients keep idle connections without a look at them, so that lingering would only hold up the stop.
        """
        if self._parked is not None:
            self._parked.stop()
        is_busy = self._is_head_open or self._is_body_open or self._is_answering()
        if is_busy or self.transport.is_closing():
            super().shutdown()
        else:
            self.transport.close_at_once()

    def pause_writing(self) -> None:
        """Begin to count how long the client leaves its answer unread."""
        super().pause_writing()
        self._write_deadline = start(self._write_deadline, self._limits.write_timeout_s, self._write_is_late)

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        stop(self._write_deadline)
        if self._parked is not None:
            self._parked.go_on()

    def timeout_keep_alive_handler(self) -> None:
        """Close if nothing has happened for as long; no request sets the timer anew, which would be dear."""
        self.timeout_keep_alive_task = None
        is_busy = self._is_head_open or self._is_body_open or self._is_answering()
        if is_busy or self._parked is not None:
            return  # the end of the answer starts it again
        left_s = self._answered_s + self._limits.keep_alive_s - self.loop.time()
        if left_s > 0:
            self._wait_idly(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _wait_idly(self, seconds: float) -> None:
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    # Requests

    def data_received(self, data: bytes) -> None:
        """Parse what came; nothing more is looked at after a refusal."""
        self._is_answered = False
        if self._refusal is not None or self.transport.is_closing():
            return
        if self._parked is not None:
            self._stash += data
            self.flow.pause_reading()  # no more than this is kept for later
            return
        if self._is_head_open or self._is_body_open:
            self._unparsed_bytes += len(data)
        if self.parser is None:
            self.begin_parsing()
        try:
            self.parser.feed_data(data)
            self._check_size(self._unparsed_bytes)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except Refused as refused:
            self._refuse(refused.problem)
        except httptools.HttpParserError as error:
            cause = error.__context__
            malformed = http_problem(400, "request: is not well-formed HTTP/1.1")
            self._refuse(cause.problem if isinstance(cause, Refused) else malformed)
        else:
            self._watch_head()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._is_answered = False
        self._is_head_open = True
        self._is_upgrade = False
        self._unparsed_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are dropped, lest they pass for headers (RFC 9110, section 6.5.1)."""
        if not self._is_head_open:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise Refused(http_problem(431, f"headers: more than {MAX_HEADERS}"))
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head, and begin the request, or answer it at once."""
        stop(self._head_deadline)
        self._is_head_open = False
        self._unparsed_bytes = 0
        answer = self._find_ready()
        if answer is not None:
            self._is_answered = True
            self.send_ready(answer)
            return
        self._check_size(sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url))
        check_head(
            self.parser.get_method().decode("ascii"), self.url, self.parser.get_http_version(), self.headers
        )
        if len(self.pipeline) >= MAX_PIPELINED:
            raise Refused(http_problem(503, f"pipeline: {MAX_PIPELINED} requests wait already"))
        if self.parser.should_upgrade():
            self._is_upgrade = True
            return
        self._begin_request()
        self._is_body_open = True

    def _begin_request(self) -> None:
        """Let uvicorn make the scope, which only requests need that are not answered at once, and go on."""
        url, headers, is_expecting = self.url, self.headers, self.expect_100_continue
        self.begin_pipeline()
        super().on_message_begin()
        self.url, self.expect_100_continue = url, is_expecting
        self.headers += headers  # the list that the scope has too
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._is_body_open = False
        if not (self._is_upgrade or self._is_answered):
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin the next request; after the last one, send the refusal that waits."""
        super().on_response_complete()
        if self._refusal is not None and not self._is_answering():
            self._write_refusal(self._refusal)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # Waiting without ASGI

    def park(self, parked: Parked, *, for_long: bool = False) -> None:
        """Leave the connection to `parked`, which writes to the transport, until `unpark`.

        Args:
            for_long: It is not worth while to let the timer of idle connections go on.
        """
        self._parked = parked
        if for_long:
            self._unset_keepalive_if_required()
        stop(self._head_deadline)
        if self.parser is not None:
            self.end_parsing()

    def parse(self, data: bytes) -> None:
        """Take `data` as what came, for the parser."""
        EdgeProtocol.data_received(self, data)

    def answer_parked(self, answer: bytes) -> None:
        """Send the whole answer that the client waited for, and take the connection back."""
        self.transport.write(answer)
        self.unpark()

    def unpark(self) -> None:
        """Take it back: the answer is complete."""
        self._parked = None
        self._answered_s = self.loop.time()
        if self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._wait_idly(self._limits.keep_alive_s)
        if self._stash:
            self.loop.call_soon(self._take_stash)

    def _take_stash(self) -> None:
        data, self._stash = self._stash, b""
        self.data_received(data)
        self.flow.resume_reading()

    # Answers without ASGI

    def _find_ready(self) -> bytes | None:
        """Return the whole answer to the request whose head was parsed; None when it is not for here."""
        ready, parser = self._ready, self.parser
        if ready is None or not self._is_quiet():
            return None
        decided = ready.recall(parser.get_method(), self.url, self.headers)
        if decided is None or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return None
        return ready.answer(decided, self.server_state.default_headers, self.peer)

    def send_ready(self, answer: bytes) -> None:
        """Send a whole answer; the timer of idle connections goes on, and looks at when this was."""
        self.transport.write(answer)
        self._answered_s = self.loop.time()
        if self._head_deadline is not None:
            stop(self._head_deadline)
        if self.timeout_keep_alive_task is None:
            self._wait_idly(self._limits.keep_alive_s)

    def _is_quiet(self) -> bool:
        """Return whether nothing is under way here, and the client reads what it is sent."""
        is_held = self._parked is not None or self._stash or self._refusal is not None
        if is_held or self.flow.write_paused or self.transport.is_lingering or self._is_answering():
            return False
        # Nothing has begun where nothing was parsed; this is asked of every hot read.
        return self.parser is None or not (self._is_head_open or self._is_body_open or self.pipeline)

    def _is_answering(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Take a request that asks for another protocol as if it did not (RFC 9110, section 7.8).

        The parser has given up on its body, so the head is parsed again without the wish.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode("ascii")
        if method == b"CONNECT":
            self._refuse(http_problem(405, "method: CONNECT is not served here"))
            return
        kept = header_lines(pair for pair in self.headers if pair[0] != b"upgrade")
        head = b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, kept)
        self.begin_parsing()
        self.data_received(head + rest)

    # Refusals

    def _refuse(self, problem: Problem) -> None:
        """Answer with `problem` once the requests before are answered, and close."""
        self._refusal = problem
        self._is_head_open = False
        stop(self._head_deadline)
        if self._is_body_open:
            self._give_up(self.cycle)
        if not self._is_answering():
            self._write_refusal(problem)

    def _give_up(self, cycle: RequestResponseCycle) -> None:
        """Drop a request whose body turned out to be malformed."""
        self.pipeline = deque(each for each in self.pipeline if each[0] is not cycle)
        if cycle is not self._running or cycle.response_complete:
            return
        cycle.disconnected = True
        cycle.message_event.set()
        self._running = None
        if cycle.response_started:
            self.transport.abort()

    def _write_refusal(self, problem: Problem) -> None:
        path = self.url.partition(b"?")[0].decode("latin-1")
        status, answer = self._refusals.render_last(problem, path, self.server_state.default_headers)
        self.transport.write(answer)
        self.transport.close()
        scope = {"method": "-", "path": path or "-", "query_string": b"", "client": self.client}
        self._refusals.log(scope, status, time.perf_counter())

    # Deadlines

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_head_bytes:
            raise Refused(http_problem(431, f"head: larger than {self._limits.max_head_bytes} bytes"))

    def _watch_head(self) -> None:
        """Start the clock for a head that has begun, and for bytes that are none."""
        is_idle = not (self._is_body_open or self._is_answering())
        if self._is_head_open or (is_idle and not self._is_answered):
            self._head_deadline = start(
                self._head_deadline, self._limits.header_timeout_s, self._head_is_late
            )

    def _head_is_late(self) -> None:
        if self.flow.read_paused:
            self._watch_head()  # it is we who do not read
        elif self._is_head_open:
            message = f"head: not complete after {self._limits.header_timeout_s:g} s"
            self._refuse(http_problem(408, message))
        else:
            self.transport.close()

    def _write_is_late(self) -> None:
        self.transport.abort()
