"""What the follower does about each thing that may come, step by step, with a clock that is told."""

from __future__ import annotations

import random

import pytest

from configsvc.client import Answer, LiveConfig, NoAnswer
from configsvc.client.exchange import Pause, Send
from configsvc.client.failures import BindingFailed
from configsvc.client.live.binding import binder
from configsvc.client.live.follower import LONGEST_ASKED_S, UNREACHED_FOR_S
from configsvc.client.live.steps import (
    Confirm,
    LiveCame,
    Open,
    Opened,
    Receive,
    Report,
    Save,
)
from configsvc.client.results import Document
from tests.client.live.play import GONE, OPTIONS, STREAM, UNKNOWN, Play, change, document


def test_a_first_watch_begins_where_the_server_is_and_everything_is_read_then() -> None:
    play = Play()
    play.open()
    asked = play.read(play.step(STREAM))
    assert asked == {"path": "/api/v1/configs/a", "Accept": "application/json"}
    play.expect(Receive, document(3, 5))
    assert (play.configs[0].version, play.configs[0].age_s) == (3, 0.0)


def test_a_change_is_read_at_its_revision_at_least_and_a_known_one_is_not_read() -> None:
    play = Play()
    play.reach()
    play.expect(Receive, change(5, 0))
    assert play.read(play.step(change(6, 1) + change(7, 2)))["If-None-Match"] == '"0"'
    # A server that lags behind is asked, or another one, for what was told of.
    assert play.read(play.step(document(1, 6)))["min_revision"] == "7"
    play.expect(Receive, document(2, 9))
    play.expect(Receive, change(8, 2))
    assert play.configs[0].version == 2


def test_a_watch_is_resumed_from_the_last_revision_that_was_told() -> None:
    play = Play()
    play.reach()
    play.step(change(6, 1))
    play.expect(Receive, document(1, 6))
    play.expect(Pause, b"")
    assert not play.configs[0].status.is_connected
    play.now_s += 30.0
    assert play.configs[0].age_s == 30.0
    play.open(since="6")
    play.expect(Receive, STREAM)
    assert play.configs[0].age_s == 0.0


@pytest.mark.parametrize("came", [GONE, b"data: <html>\n\n", b"event: change\ndata: {}\n\n"], ids=str)
def test_a_watch_that_breaks_or_makes_no_sense_is_begun_again(came: LiveCame) -> None:
    play = Play()
    play.reach()
    play.step(b": heartbeat\n\n")
    play.expect(Pause, came)
    play.open(since="5")


@pytest.mark.parametrize(
    ("came", "least_s", "most_s"),
    [
        (GONE, 0.0, 1.0),
        (Answer(500), 8.0, 9.0),
        (Answer(503, {"retry-after": "3"}), 3.0, 4.0),
        (Answer(429, {"retry-after": "20"}), 20.0, 21.0),
        (Answer(503, {"retry-after": "999999999"}), 60.0, 61.0),
        (Answer(503, {"retry-after": "-1 or so"}), 0.0, 1.0),
        (Answer(401), 8.0, 9.0),
        (Answer(403), 8.0, 9.0),
        (Opened({"content-type": "text/html"}), 0.0, 1.0),
    ],
    ids=str,
)
def test_the_pause_after_a_failure_is_what_the_failure_asks_for(
    came: LiveCame, least_s: float, most_s: float
) -> None:
    play = Play()
    play.book.read("a", Document("a", {}, 0, 5, '"0"'))
    play.open(since="5")
    step = play.step(came)
    assert isinstance(step, Pause)
    assert least_s <= step.seconds <= most_s


def test_pauses_grow_to_a_bound_and_begin_anew_after_something_was_told() -> None:
    play = Play()
    play.reach()
    pauses = []
    play.expect(Pause, b"")
    for _ in range(40):
        play.open(since="5")
        step = play.expect(Pause, GONE)
        assert isinstance(step, Pause)
        pauses.append(step.seconds)
    assert max(pauses) <= 8.0
    assert min(pauses[10:]) >= 0.8
    play.open(since="5")
    play.expect(Receive, STREAM)
    play.expect(Receive, change(6, 0, service="other"))
    step = play.expect(Pause, b"")
    assert isinstance(step, Pause)
    assert step.seconds <= 1.0


def test_a_server_that_goes_is_left_for_another_one_and_alone_it_is_given_the_time_it_asks_for() -> None:
    for urls, least_s in ((("http://one", "http://two"), 0.0), (("http://one",), 1.5)):
        play = Play(*urls)
        play.reach()
        step = play.expect(Pause, b"retry: 1500\nevent: reconnect\ndata: {}\n\n")
        assert isinstance(step, Pause)
        assert least_s <= step.seconds <= least_s + 1.0
        assert play.open(since="5").base_url == urls[-1]


def test_a_server_cannot_ask_for_a_pause_without_end() -> None:
    play = Play()
    play.reach()
    step = play.expect(Pause, b"retry: 999999999999\nevent: reconnect\ndata: {}\n\n")
    assert isinstance(step, Pause)
    assert step.seconds <= LONGEST_ASKED_S + 1.0


def test_a_name_that_may_not_be_read_does_not_end_the_watch_of_the_others() -> None:
    play = Play(services=("pay/a", "pay/b"))
    assert play.open().request.params["service"] == ("pay/a", "pay/b")
    play.expect(Send, Answer(404))  # both are asked for meanwhile
    play.expect(Send, document(0, 5))
    play.expect(Pause, Answer(404))
    assert play.open(since="5").request.params["prefix"] == "pay/"
    assert "status: 404" in play.configs[1].status.problem
    assert play.configs[0].version == 0


def test_a_read_that_fails_is_tried_again_and_holds_up_nobody_else() -> None:
    play = Play(services=("a", "b"))
    play.open()
    play.expect(Send, STREAM)
    play.expect(Send, Answer(500))  # of a; now b
    step = play.expect(Pause, document(0, 5))
    assert isinstance(step, Pause)
    assert (play.configs[0].version, play.configs[1].version) == (None, 0)
    play.now_s += step.seconds + 1.0
    play.open(since="5")
    assert play.read(play.step(STREAM))["path"] == "/api/v1/configs/a"
    play.expect(Receive, document(0, 5))
    assert play.configs[0].version == 0


def test_a_service_that_does_not_exist_is_asked_for_rarely_and_at_once_when_it_is_told_of() -> None:
    play = Play()
    play.open()
    play.expect(Send, STREAM)
    play.expect(Receive, Answer(404))
    play.now_s += 0.05
    play.expect(Receive, b": heartbeat\n\n")
    play.expect(Send, change(6, 0))
    play.expect(Receive, document(0, 6))
    assert play.configs[0].version == 0


def test_an_older_state_than_is_known_turns_nothing_back() -> None:
    play = Play()
    play.reach(revision=9)
    play.book.read("a", Document("a", {"n": -1}, 0, 8, '"old"'))
    assert play.configs[0].value == {"n": 0}


def test_a_change_that_was_told_is_read_although_an_older_answer_comes_in_between() -> None:
    play = Play()
    play.reach()
    play.expect(Send, change(7, 2))
    step = play.expect(Pause, Answer(500))
    assert isinstance(step, Pause)
    play.book.read("a", Document("a", {"n": 1}, 1, 6, '"1"'))  # an application's thread had asked before
    assert play.configs[0].version == 1
    play.now_s += step.seconds + 1.0
    play.open(since="7")
    play.expect(Send, STREAM)
    play.expect(Receive, document(2, 7))
    assert play.configs[0].version == 2


def test_a_server_that_is_gone_is_not_asked_for_every_service() -> None:
    play = Play(services=("a", "b", "c"))
    play.open()
    play.expect(Send, STREAM)
    play.expect(Pause, GONE)
    play.expect(Send, None)
    play.expect(Pause, GONE)
    assert [step.request.path for step in play.done if isinstance(step, Send)] == ["/api/v1/configs/a"] * 2


def test_everything_is_asked_for_now_and_then_although_nothing_is_told() -> None:
    play = Play()
    play.reach()
    play.now_s += 1.3 * OPTIONS.recheck_s
    assert play.read(play.step(b": heartbeat\n\n"))["If-None-Match"] == '"0"'
    play.expect(Receive, Answer(304, {"config-revision": "5"}))
    assert Confirm(("a",)) in play.done
    play.expect(Receive, b": heartbeat\n\n")


def test_a_watch_that_never_says_anything_is_replaced_by_asking() -> None:
    play = Play()
    play.open()
    play.expect(Send, STREAM)
    play.expect(Receive, document(0, 5))
    play.expect(Send, NoAnswer("silent"))
    play.expect(Pause, document(1, 6))
    assert play.configs[0].version == 1


def test_another_history_is_believed_only_when_every_server_has_had_time_to_catch_up() -> None:
    play = Play("http://one", "http://two")
    play.reach()
    play.expect(Pause, b"")
    for _ in range(4):
        play.open(since="5")
        play.expect(Pause, UNKNOWN)
    play.now_s += UNREACHED_FOR_S
    play.open(since="5")
    asked = play.read(play.step(UNKNOWN))
    assert "min_revision" not in asked
    play.expect(Pause, document(0, 3, '"another"'))
    assert play.configs[0].status.problem == ""
    play.open(since="3")


def test_services_beyond_the_watch_begin_it_anew_from_where_they_were_read() -> None:
    play = Play()
    play.reach()
    play.step(change(9, 1))
    play.expect(Receive, document(1, 9))
    other: LiveConfig[object] = LiveConfig("b", binder(None), None, play.book)
    play.book.add(other)
    play.book.read("b", Document("b", {}, 0, 7, '"b"'))
    assert play.book.cover("b")
    step = play.expect(Pause, b"")
    assert isinstance(step, Pause)
    assert step.seconds < 0.1
    assert play.open(since="7").request.params["service"] == ("a", "b")
    play.expect(Receive, STREAM)
    play.expect(Receive, change(9, 1))
    play.expect(Send, change(8, 1, service="b"))


def test_a_version_is_saved_until_that_succeeds() -> None:
    play = Play()
    play.reach()
    steps = play.follower.steps()
    play.book.read("a", Document("a", {"n": 9}, 9, 9, '"9"'))
    assert isinstance(next(steps), Open)
    assert isinstance(steps.send(STREAM), Save)
    assert isinstance(steps.send(False), Receive)
    assert isinstance(steps.send(b": heartbeat\n\n"), Save)
    assert isinstance(steps.send(True), Receive)
    assert isinstance(steps.send(b": heartbeat\n\n"), Receive)


@pytest.mark.slow
def test_whatever_comes_every_config_ends_at_head() -> None:
    """Play random stories on a server whose head only rises; heal it; compare."""
    for seed in range(40):
        _story(random.Random(seed))


NOT_OPENED: list[LiveCame] = [GONE, Answer(503), Answer(500), Opened({})]
NOT_READ: list[LiveCame] = [GONE, Answer(503), Answer(500), Answer(200)]
NOT_RECEIVED: list[LiveCame] = [GONE, b"", b"event: change\ndata: {}\n\n"]


def _story(dice: random.Random) -> None:
    play = Play("http://one", "http://two")
    told: list[int] = []
    play.configs[0].on_change(lambda change: told.append(change.version))
    head = 5  # the version is the revision
    heard = 5
    is_healed = False
    came: LiveCame = None
    for turn in range(400):
        is_healed = turn > 200
        head += not is_healed and dice.random() < 0.3
        step = play.step(came)
        is_bad = not is_healed and dice.random() < 0.4
        if isinstance(step, Pause):
            play.now_s += max(step.seconds, 0.001)
            came = None
        elif isinstance(step, Open):
            heard = int(str(step.request.params.get("since", head)))
            came = dice.choice(NOT_OPENED) if is_bad else _opened(head)
        elif isinstance(step, Send):
            came = dice.choice(NOT_READ) if is_bad else _answered(step, head)
        elif is_bad:
            came = dice.choice(NOT_RECEIVED)
        elif heard < head:
            # All of what was missed, or the first of it.
            upto = dice.choice([heard + 1, head])
            came = b"".join(change(number, number) for number in range(heard + 1, upto + 1))
            heard = upto
        else:
            play.now_s += 15.0
            came = b": heartbeat\n\n"
    assert play.configs[0].version == head
    assert told == sorted(set(told))
    assert not told or told[-1] == head


def _opened(head: int) -> Opened:
    return Opened({"content-type": "text/event-stream", "config-revision": str(head)})


def _answered(step: Send, head: int) -> Answer:
    if step.request.headers.get("If-None-Match") == f'"{head}"':
        return Answer(304, {"config-revision": str(head)})
    return document(head, head)


def test_a_version_that_does_not_fit_is_reported_on_the_side_and_once() -> None:
    play = Play()
    play.reach()
    for _ in range(2):
        play.configs.append(LiveConfig("a", _refused, None, play.book))
        play.book.add(play.configs[-1])
    play.expect(Send, change(6, 1))
    report = play.step(document(1, 6))
    assert isinstance(report, Report)
    assert (report.call.request.method, report.call.request.path) == (
        "POST",
        "/api/v1/configs/a/-/rejections",
    )
    play.expect(Receive, None)
    assert [config.version for config in play.configs] == [1, None, None]
    play.expect(Receive, b": heartbeat\n\n")


def _refused(value: object) -> object:
    raise BindingFailed("document: too new")
