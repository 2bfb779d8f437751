"""Events, coverage and differences."""

from __future__ import annotations

import pytest

from configsvc.client import AnswerInvalid
from configsvc.client.live.coverage import MAX_NAMED, Coverage, coverage_of
from configsvc.client.live.difference import changed_pointers
from configsvc.client.live.events import MAX_EVENT_BYTES, Event, EventParser

STREAM = (
    b"retry: 1500\n\n: heartbeat\n\n"
    b'id: 7\nevent: change\ndata: {"revision": 7,\ndata: "services": []}\n\n'
    b"event: reconnect\r\ndata: {}\r\n\r\n"
)
EVENTS = [Event("change", 7, {"revision": 7, "services": []}), Event("reconnect", None, {})]


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
def test_events_come_out_whole_however_the_stream_is_cut(size: int) -> None:
    parser = EventParser()
    cut = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [event for data in cut for event in parser.feed(data)] == EVENTS
    assert parser.retry_s == 1.5


@pytest.mark.parametrize("data", [b"data: <html>\n\n", b"data: [1]\n\n", b"x" * (MAX_EVENT_BYTES + 1)])
def test_what_is_no_event_of_this_api_is_refused(data: bytes) -> None:
    with pytest.raises(AnswerInvalid):
        EventParser().feed(data)


def test_a_few_services_are_watched_by_name() -> None:
    coverage = coverage_of(["b/api", "a/api"])
    assert coverage.services == ("a/api", "b/api")
    assert coverage.covers("a/api")
    assert not coverage.covers("a/api2")
    assert coverage.request(7, 45.0).params == {"service": ("a/api", "b/api"), "since": "7"}


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        ([f"pay/s{number}" for number in range(MAX_NAMED + 1)], "pay/s"),
        ([*(f"pay/s{number}" for number in range(MAX_NAMED)), "other"], ""),
        ([*(f"pay/s{number}" for number in range(MAX_NAMED)), "pay"], "pay"),
    ],
    ids=str,
)
def test_many_services_are_watched_by_what_their_names_begin_with(names: list[str], prefix: str) -> None:
    coverage = coverage_of(names)
    assert coverage == Coverage(prefix=prefix)
    assert all(map(coverage.covers, names))
    assert "service" not in coverage.request(None, 45.0).params


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, ["/a"]),
        ({"a": 1}, {"a": True}, ["/a"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 1}, ["/a/c", "/d"]),
        ({"a": {"b": 1}}, {}, ["/a"]),
        ({"a": [1, {"x": 1}]}, {"a": [1, {"x": 2}]}, ["/a/1/x"]),
        ({"a": [1]}, {"a": [1, 2]}, ["/a"]),
        ({"a/b": 1, "c~d": 1}, {"a/b": 2, "c~d": 2}, ["/a~1b", "/c~0d"]),
    ],
    ids=str,
)
def test_the_smallest_parts_that_differ(old: object, new: object, changed: list[str]) -> None:
    assert list(changed_pointers(old, new)) == changed
