"""`GET /api/v1/configs/{service}?wait=` for connections that are parked.

Who waits for the same service is woken together: the new answer is made once, and written to each as it
lies there.  Whoever cannot be answered so, after a deletion say, has its request handed to the others who
answer such, as if it came now.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

from configsvc.api.access_log import AccessLine
from configsvc.api.conditional import stored_tag
from configsvc.api.rates import COUNTED
from configsvc.api.v1.paths import PREFIX
from configsvc.api.v1.waiting import MAX_WAIT_S, jittered
from configsvc.core.names import is_service
from configsvc.edge.asgi_types import Scope
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.hot_requests import HotRequest
from configsvc.edge.loophub import LoopHub
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.ready import Decided, ReadyAnswers
from configsvc.store.base import Snapshot
from configsvc.watch.interest import Interest

TICK_S = 0.1
TRIES = 3
"""How often an answer is made anew because the service changed meanwhile."""
_FOLDER = f"{PREFIX}/configs/".encode("ascii")
_TARGET = re.compile(rb"%s([a-z0-9](?:[a-z0-9._/-]|%%2F){0,199})\?wait=([1-9][0-9]?)" % re.escape(_FOLDER))


class Asked:
    """What one request asks.

    Args:
        decided: The same read without the wait.
        data: All of the request.
    """

    __slots__ = ("data", "decided", "lines", "plain", "seconds", "service")

    def __init__(self, service: str, seconds: int, decided: Decided, target: bytes, data: bytes) -> None:
        self.service = service
        self.seconds = seconds
        self.decided = decided
        self.data = data
        self.plain = data.replace(target, target.partition(b"?")[0], 1)
        self.lines = {status: AccessLine("GET", target.decode("ascii"), status) for status in (200, 304)}


def read_poll(target: bytes, request: HotRequest, data: bytes) -> Asked | None:
    """Return what is asked by a read that waits; None when it is none, or has anything unusual about it.

    Args:
        request: Of its headers.
    """
    match = _TARGET.fullmatch(target)
    is_plain = request.tag is not None and request.accept in (None, b"", b"*/*")
    if match is None or not is_plain or int(match[2]) > MAX_WAIT_S:
        return None
    name = match[1].replace(b"%2F", b"/")
    service = name.decode("ascii")
    if not is_service(service):
        return None
    read = HotRequest(_FOLDER + name, request.host, request.authorization, request.accept, request.tag)
    return Asked(service, int(match[2]), Decided(read, is_head=False), target, data)


def find_tag(snapshot: Snapshot, service: str) -> bytes | None:
    """Return the ETag of a service in the format it is stored in; None when it does not exist."""
    entry = snapshot.find(service)
    tag = None if entry is None else stored_tag(entry)
    return None if tag is None else tag.encode("ascii")


class PollRoom:
    """All parked reads that wait.  Used by the event loop only."""

    def __init__(self, hub: LoopHub, hot: HotAnswerer, ready: ReadyAnswers) -> None:
        self.hub = hub
        self.hot = hot
        self.ready = ready
        self.ticks = Ticks(hub)
        self.groups: dict[str, Group] = {}

    def take(self, protocol: EdgeProtocol, asked: Asked) -> bool:
        """Return whether a request waits from now on, or is answered."""
        request, group = asked.decided.request, self.groups.get(asked.service)
        snapshot = self.hot.newest()
        tag = find_tag(snapshot, asked.service) if group is None else group.tag_at(snapshot)
        if tag is None or not self.hot.admits(request.authorization, asked.service):
            return False
        if tag != request.tag:
            answer = self.ready.answer(asked.decided, protocol.server_state.default_headers, protocol.peer)
            if answer is not None:
                protocol.send_ready(answer)
            return answer is not None
        if not self.ready.admits(protocol.peer, request.authorization):
            return False
        if group is None:
            group = self.groups[asked.service] = Group(self, asked.service)
        poll = ParkedPoll(group, protocol, asked)
        protocol.park(poll)
        group.add(poll)
        return True


class ParkedPoll:
    """One client."""

    __slots__ = ("_group", "_started_s", "_tick", "asked", "is_gone", "protocol")

    def __init__(self, group: Group, protocol: EdgeProtocol, asked: Asked) -> None:
        self.asked = asked
        self.is_gone = False
        self._group = group
        self.protocol = protocol
        self._started_s = time.perf_counter()
        self._tick = group.room.ticks.add(self, jittered(asked.seconds))

    def look(self) -> None:
        """Answer if there is something new."""
        hot, asked = self._group.room.hot, self.asked
        if self.is_gone:
            return
        if not hot.admits(asked.decided.request.authorization, asked.service):
            self._hand_on(asked.data)
        elif self._group.tag_at(hot.newest()) != asked.decided.request.tag:
            self._answer(asked.data)

    def expire(self) -> None:
        """Answer that nothing has changed."""
        if not self.is_gone:
            self._answer(self.asked.plain)

    def stop(self) -> None:
        """Answer, since the server stops."""
        self.expire()

    def go_on(self) -> None:
        """Wait on."""

    def leave(self) -> None:
        """Be there no more."""
        if not self.is_gone:
            self.is_gone = True
            self._group.drop(self)
            self._group.room.ticks.drop(self, self._tick)

    def _answer(self, otherwise: bytes) -> None:
        """Send what is ready, else hand on the request `otherwise`."""
        decided, room = self.asked.decided, self._group.room
        answer = room.ready.render(decided, self.protocol.server_state.default_headers)
        if answer is None:
            self._hand_on(otherwise)
            return
        self.protocol.transport.write(answer)
        line = self.asked.lines[decided.status]
        room.hot.note_ready(line, decided.status, time.perf_counter() - self._started_s)
        self.leave()
        self.protocol.unpark()

    def _hand_on(self, data: bytes) -> None:
        self.leave()
        self.protocol.unpark()
        self.protocol.parse(data)


class Group:
    """Those who wait for one service."""

    def __init__(self, room: PollRoom, service: str) -> None:
        self.room = room
        self._service = service
        self._members: dict[ParkedPoll, None] = {}
        self._interest = Interest(frozenset({service}))
        self._registration = room.hub.index.add(self._interest, self.wake)
        room.hub.sharing -= 1  # its own registration stands for one of them
        self._making: asyncio.Task[None] | None = None
        self._tag: tuple[Snapshot, bytes | None] | None = None

    def add(self, poll: ParkedPoll) -> None:
        """Have `poll` woken; it looked at the newest snapshot before, and looks again, now registered."""
        self._members[poll] = None
        self.room.hub.sharing += 1
        poll.look()

    def drop(self, poll: ParkedPoll) -> None:
        """Let go of `poll`; the last one ends the group."""
        del self._members[poll]
        self.room.hub.sharing -= 1
        if not self._members and self.room.groups.get(self._service) is self:
            del self.room.groups[self._service]
            self.room.hub.index.remove(self._registration, self._interest)
            self.room.hub.sharing += 1

    def tag_at(self, snapshot: Snapshot) -> bytes | None:
        """Return the ETag of the service at `snapshot`; None when it does not exist."""
        if self._tag is None or self._tag[0] is not snapshot:
            self._tag = (snapshot, find_tag(snapshot, self._service))
        return self._tag[1]

    def wake(self) -> None:
        """Have the new answer made, and then everyone look."""
        if not self.room.hub.is_draining and self._making is None:
            self._making = asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        try:
            for _ in range(TRIES):
                snapshot = self.room.hot.newest()
                await self._make(snapshot)
                if self.room.hot.newest() is snapshot:
                    break
        finally:
            self._making = None
            self.room.hub.wake([each.look for each in self._members])

    async def _make(self, snapshot: Snapshot) -> None:
        """Have the answer kept that most are to be sent."""
        tag = self.tag_at(snapshot)
        for poll in self._members if tag is not None else ():
            request = poll.asked.decided.request
            if request.tag != tag and self.room.hot.admits(request.authorization, self._service):
                await self.room.hot.keep(request, _scope(request, poll.protocol))
                return


class Ticks:
    """Calls `expire` of each poll when its time is up, to a tenth of a second.

    One timer for all: ten thousand of them would take more memory than what they are for.
    """

    def __init__(self, hub: LoopHub, now: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._now = now
        self._due: dict[int, set[ParkedPoll]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, poll: ParkedPoll, seconds: float) -> int:
        """Have `poll` expire in `seconds`; return what `drop` takes."""
        tick = int((self._now() + seconds) / TICK_S) + 1
        self._due.setdefault(tick, set()).add(poll)
        self._wait()
        return tick

    def drop(self, poll: ParkedPoll, tick: int) -> None:
        """Have `poll` expire no longer."""
        polls = self._due.get(tick)
        if polls is not None:
            polls.discard(poll)
            if not polls:
                del self._due[tick]

    def _wait(self) -> None:
        if self._timer is None and self._due:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._run)

    def _run(self) -> None:
        self._timer = None
        now = int(self._now() / TICK_S)
        for tick in sorted(tick for tick in self._due if tick <= now):
            # Out of it first: who expires drops itself.
            self._hub.wake([each.expire for each in self._due.pop(tick)])
        self._wait()


def _scope(request: HotRequest, protocol: EdgeProtocol) -> Scope:
    path = request.target
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": protocol.scheme,
        "path": path.decode("ascii"),
        "raw_path": path,
        "query_string": b"",
        "headers": [],
        "server": protocol.server,
        "client": protocol.client,
        COUNTED: True,
    }
