"""`GET /api/v1/configs/{service}?wait=` for connections that are parked.

Who waits for the same service is woken together: the new answer is made once, and written to each as it
lies there.  Whoever cannot be answered so, after a deletion say, has its request handed to the others who
answer such, as if it came now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from configsvc.api.access_log import AccessLine
from configsvc.api.conditional import stored_tag
from configsvc.api.rates import COUNTED
from configsvc.api.v1.waiting import jittered
from configsvc.edge.asgi_types import RawHeaders, Scope
from configsvc.edge.epochs import NEVER
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.hot_requests import HotRequest
from configsvc.edge.loophub import LoopHub
from configsvc.edge.poll_requests import Asked
from configsvc.edge.protocol import EdgeProtocol
from configsvc.edge.ready import ReadyAnswers
from configsvc.edge.ticks import Ticks
from configsvc.store.base import Snapshot
from configsvc.watch.interest import Interest

TRIES = 3
"""How often an answer is made anew because the service changed meanwhile."""


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
        self._newest = hot.newest
        self._now_s = hot.now_s
        self.ticks = Ticks(hub)
        self.groups: dict[str, Group] = {}
        self._arrived: list[Arrived] = []

    def take(self, protocol: EdgeProtocol, asked: Asked) -> bool:
        """Return whether a request waits from now on, or is answered."""
        return self._park(protocol, asked, time.perf_counter()) or self._answer(protocol, asked)

    def take_in_turn(self, protocol: EdgeProtocol, asked: Asked) -> None:
        """Have a request wait, or be answered, when it is its turn.

        Thousands come again at once when they were told.  What is done at once delays all that comes behind
        them, and so it is next to nothing.
        """
        if not self._arrived:
            protocol.loop.call_soon(self._begin)
        arrived = Arrived(protocol, asked)
        protocol.park(arrived)
        self._arrived.append(arrived)

    def _begin(self) -> None:
        arrived, self._arrived = self._arrived, []
        self.hub.tell(self._settle, arrived)

    def _settle(self, arrived: Iterator[Arrived]) -> None:
        for each in arrived:
            if each.is_gone:
                continue
            protocol, asked = each.protocol, each.asked
            if self.hub.is_full or not self._park(protocol, asked, each.started_s):
                protocol.unpark()
                if self.hub.is_full or not self._answer(protocol, asked):
                    protocol.parse(asked.data)

    def _park(self, protocol: EdgeProtocol, asked: Asked, started_s: float) -> bool:
        """Return whether there is nothing new, so that a request waits from now on."""
        request, group, snapshot = asked.decided.request, self.groups.get(asked.service), self._newest()
        epoch = self.ready.epochs.of(snapshot)
        if group is None or asked.waits_at != epoch or asked.ends_at_s <= self._now_s():
            is_known = self._tag_at(snapshot, asked) == request.tag
            if not is_known or not self.hot.admits(request.authorization, asked.service):
                return False
            asked.waits_at, asked.ends_at_s = epoch, self.hot.ends_at_s(request)
        if not self.ready.admits(protocol.peer, request.authorization):
            return False
        is_first = group is None
        if group is None:
            group = self.groups[asked.service] = Group(self, asked.service)
        poll = ParkedPoll(group, protocol, asked, started_s)
        protocol.park(poll)
        group.add(poll)
        if is_first:
            poll.look()  # what was published before the group was registered
        return True

    def _answer(self, protocol: EdgeProtocol, asked: Asked) -> bool:
        """Return whether there is something new, which is sent."""
        if self._tag_at(self._newest(), asked) in (None, asked.decided.request.tag):
            return False
        answer = self.ready.answer(asked.decided, protocol.server_state.default_headers, protocol.peer)
        if answer is not None:
            protocol.send_ready(answer)
        return answer is not None

    def _tag_at(self, snapshot: Snapshot, asked: Asked) -> bytes | None:
        group = self.groups.get(asked.service)
        return find_tag(snapshot, asked.service) if group is None else group.tag_at(snapshot)


class Arrived:
    """One client whose turn has not come."""

    __slots__ = ("asked", "is_gone", "protocol", "started_s")

    def __init__(self, protocol: EdgeProtocol, asked: Asked) -> None:
        self.protocol = protocol
        self.asked = asked
        self.is_gone = False
        self.started_s = time.perf_counter()

    def leave(self) -> None:
        """Be there no more."""
        self.is_gone = True

    def go_on(self) -> None:
        """Wait on."""

    def stop(self) -> None:
        """Answer, since the server stops."""
        if not self.is_gone:
            self.is_gone = True
            self.protocol.unpark()
            self.protocol.parse(self.asked.plain)


class ParkedPoll:
    """One client."""

    __slots__ = ("_group", "_started_s", "_tick", "asked", "is_gone", "protocol")

    def __init__(self, group: Group, protocol: EdgeProtocol, asked: Asked, started_s: float) -> None:
        self.asked = asked
        self.is_gone = False
        self._group = group
        self.protocol = protocol
        self._started_s = started_s
        self._tick = group.room.ticks.add(self, jittered(asked.seconds))

    def look(self) -> None:
        """Answer if there is something new."""
        Telling(self._group).tell(iter((self,)))

    def expire(self) -> None:
        """Answer that nothing has changed."""
        if not self.is_gone:
            found = self._group.find(self.asked, self.protocol.server_state.default_headers)
            if found is None:
                self.hand_on(self.asked.plain)
            else:
                self.send(found)
                found.note(self._group.room.hot)

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

    def send(self, found: Found) -> None:
        """Answer, and give the connection back."""
        self.leave()
        self.protocol.answer_parked(found.answer)
        found.durations_s.append(time.perf_counter() - self._started_s)

    def hand_on(self, data: bytes) -> None:
        """Give the connection back, and let the others answer `data`."""
        self.leave()
        self.protocol.unpark()
        self.protocol.parse(data)


@dataclass(frozen=True, slots=True)
class Found:
    """An answer to all who ask the same.

    Args:
        ends_at_s: Until when their credential is good.
        durations_s: How long each has waited who was sent it, and who is not counted yet.
    """

    answer: bytes
    status: int
    line: AccessLine
    ends_at_s: float
    durations_s: list[float] = field(default_factory=list)

    def note(self, hot: HotAnswerer) -> None:
        """Count and log those who were sent it."""
        hot.note_ready_all(self.line, self.status, self.durations_s)
        self.durations_s.clear()


class Telling:
    """One round in which all members of a group look: each answer is made once for all who ask the same."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._hot = group.room.hot
        self._now_s = group.room.hot.now_s
        self._snapshot: Snapshot | None = None
        self._default_headers: RawHeaders = []
        self._found: dict[Asked, Found] = {}

    def tell(self, polls: Iterator[ParkedPoll]) -> None:
        """Answer each if there is something new, or if it may not be told any longer."""
        snapshot, known = self._hot.newest(), self._found
        try:
            for poll in polls:
                if poll.is_gone:
                    continue
                default_headers = poll.protocol.server_state.default_headers
                if snapshot is not self._snapshot or default_headers is not self._default_headers:
                    self._note()
                    self._snapshot, self._default_headers = snapshot, default_headers
                found = known.get(poll.asked)
                if found is None or found.ends_at_s <= self._now_s():
                    self._tell_first(poll, snapshot)
                else:
                    poll.send(found)
        finally:
            self._note()

    def _tell_first(self, poll: ParkedPoll, snapshot: Snapshot) -> None:
        """Look for one who asks what nobody was answered before."""
        asked, group = poll.asked, self._group
        request = asked.decided.request
        if not self._hot.admits(request.authorization, asked.service):
            poll.hand_on(asked.data)
        elif group.tag_at(snapshot) != request.tag:
            found = group.find(asked, self._default_headers)
            if found is None:
                poll.hand_on(asked.data)
            else:
                self._found[asked] = found
                poll.send(found)

    def _note(self) -> None:
        """Count and log those who were answered; who comes next is answered anew."""
        for found in self._found.values():
            found.note(self._hot)
        self._found.clear()


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
        self._tag: bytes | None = None
        self._tag_epoch = NEVER

    def add(self, poll: ParkedPoll) -> None:
        """Have `poll` woken."""
        self._members[poll] = None
        self.room.hub.sharing += 1

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
        epoch = self.room.ready.epochs.of(snapshot)
        if self._tag_epoch != epoch:
            self._tag, self._tag_epoch = find_tag(snapshot, self._service), epoch
        return self._tag

    def find(self, asked: Asked, default_headers: RawHeaders) -> Found | None:
        """Return the answer to the read without the wait; None when it is not for here."""
        decided = asked.decided
        answer = self.room.ready.render(decided, default_headers)
        if answer is None:
            return None
        return Found(answer, decided.status, asked.lines[decided.status], decided.ends_at_s)

    def wake(self) -> None:
        """Have the new answer made, and then everyone look."""
        if not self.room.hub.is_draining and self._making is None:
            self._making = asyncio.get_running_loop().create_task(self._wake())
            self.room.hub.await_making(self._making)

    async def _wake(self) -> None:
        try:
            for _ in range(TRIES):
                snapshot = self.room.hot.newest()
                await self._make(snapshot)
                if self.room.hot.newest() is snapshot:
                    break
        finally:
            self._making = None
            self.room.hub.tell(Telling(self).tell, self._members)

    async def _make(self, snapshot: Snapshot) -> None:
        """Have the answer kept that most are to be sent."""
        tag = self.tag_at(snapshot)
        for poll in self._members if tag is not None else ():
            request = poll.asked.decided.request
            if request.tag != tag and self.room.hot.admits(request.authorization, self._service):
                await self.room.hot.keep(request, _scope(request, poll.protocol))
                return


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
