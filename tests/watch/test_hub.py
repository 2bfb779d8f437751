from __future__ import annotations

from contextlib import ExitStack

import pytest

from configsvc.watch.hub import Hub
from configsvc.watch.interest import Interest, interest_in

CASES = [
    (interest_in(["a/b"], None), ["a/b.json"], True),
    (interest_in(["a/b"], None), ["a/b.yaml"], True),
    (interest_in(["a/b"], None), ["a/c.json"], False),
    (interest_in([], "a"), ["ab/c.json"], True),
    (interest_in([], "a/"), ["ab/c.json"], False),
    (interest_in([], None), ["z.json"], True),
    (interest_in(["x"], "a/"), ["x.json"], True),
    (interest_in(["x"], None), ["README.md"], False),
    (interest_in(["x"], None), [".configsvc/services/x.yaml"], False),
    (interest_in(["x"], None), [".configsvc/principals/me.yaml"], True),
]


@pytest.mark.parametrize(("interest", "paths", "is_due"), CASES)
@pytest.mark.parametrize("others", [0, 300])
def test_a_publish_wakes_only_those_whom_it_concerns(
    interest: Interest, paths: list[str], is_due: bool, others: int
) -> None:
    hub = Hub()
    with ExitStack() as waiting:
        for number in range(others):
            waiting.enter_context(hub.registered(Interest(prefixes=(f"other-{number}",)), sleep_on))
        waiting.enter_context(hub.registered(interest, wake))
        assert (wake in hub.due(paths)) is is_due


def sleep_on() -> None:
    raise AssertionError("is not called here")


def wake() -> None:
    raise AssertionError("is not called here")


def test_who_is_due_for_several_reasons_is_woken_once() -> None:
    hub = Hub()
    with hub.registered(Interest(frozenset({"a", "b"}), ("", "a")), wake):
        assert hub.due(["a.json", "b.json"]) == [wake]


def test_nothing_is_left_of_those_who_went() -> None:
    hub = Hub()
    with hub.registered(Interest(frozenset({"a"}), ("b",)), wake):
        assert len(hub) == 1
    assert (len(hub), hub.all(), hub.due(["a.json", "b.json"])) == (0, [], [])
    assert vars(hub)["_by_service"] == vars(hub)["_by_prefix"] == {}
