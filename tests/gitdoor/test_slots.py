"""Slots for git processes, and how many one principal may have."""

from __future__ import annotations

import contextlib

import pytest

from configsvc.access.decide import Admission
from configsvc.core.errors import GitBusy
from configsvc.core.principals import ANYONE, Principal
from configsvc.gitdoor.slots import Slots


def admitted(name: str) -> Admission:
    return Admission(Principal(name), 1, token_sha256="0" * 64)


@pytest.mark.parametrize(("count", "share"), [(8, 4), (5, 3), (2, 1), (1, 1)])
def test_one_principal_has_half_of_the_slots_at_most(count: int, share: int) -> None:
    slots, ann, bob = Slots(count), admitted("ann"), admitted("bob")
    with contextlib.ExitStack() as held:
        for _ in range(share):
            held.enter_context(slots.taken(ann))
        with pytest.raises(GitBusy), slots.taken(ann):
            pass
        for _ in range(count - share):
            held.enter_context(slots.taken(bob))
        with pytest.raises(GitBusy), slots.taken(admitted("eve")):
            pass
    with slots.taken(ann):
        pass


def test_where_there_are_no_principals_anyone_may_have_all_slots() -> None:
    slots = Slots(2)
    anyone = Admission(ANYONE, 1)
    with slots.taken(anyone), slots.taken(anyone), pytest.raises(GitBusy), slots.taken(anyone):
        pass
