from __future__ import annotations

import ipaddress
import sys

import pytest

from configsvc.access.rates import Buckets, RateLimits
from configsvc.core.errors import RateExceeded
from tests.access.book import Book, bearer


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book() -> Book:
    book = Book()
    book.add("one", all="reader")
    book.add("two", all="reader")
    return book


def taken(buckets: Buckets, key: str, tries: int = 1000) -> int:
    return sum(buckets.take(key) == 0.0 for _ in range(tries))


@pytest.mark.parametrize(
    ("per_s", "burst_s", "at_once", "in_ten_s"), [(5.0, 2.0, 10, 50), (0.5, 10.0, 5, 5), (0.1, 1.0, 1, 1)]
)
def test_a_client_may_make_a_burst_and_then_as_many_as_the_rate(
    clock: Clock, per_s: float, burst_s: float, at_once: int, in_ten_s: int
) -> None:
    buckets = Buckets(per_s, burst_s, now=clock)
    assert taken(buckets, "a") == at_once
    found = 0
    for _ in range(1000):
        clock.now_s += 0.01
        found += taken(buckets, "a", 2)
    assert found == in_ten_s


def test_a_client_that_waits_as_long_as_it_is_told_is_let_through(clock: Clock) -> None:
    buckets = Buckets(3.0, 1.0, now=clock)
    for _ in range(100):
        taken(buckets, "a")
        wait_s = buckets.take("a")
        assert 0.0 < wait_s <= 1 / 3 + 1e-6
        clock.now_s += wait_s
        assert buckets.take("a") == 0.0


def test_clients_have_buckets_of_their_own(clock: Clock) -> None:
    buckets = Buckets(1.0, 1.0, now=clock)
    assert [buckets.take(key) for key in "abc"] == [0.0, 0.0, 0.0]
    assert all(buckets.take(key) for key in "abc")


def test_however_many_clients_there_are_memory_is_bounded(clock: Clock) -> None:
    buckets = Buckets(1.0, 1.0, now=clock, most=100)
    for number in range(10_000):
        buckets.take(str(number))
        is_refused = buckets.take("busy") > 0.0
        assert is_refused is (number > 0)  # it is heard of all the time, and never forgotten
    assert len(buckets) == 100
    assert sys.getsizeof(buckets._full_at) < 100_000


def limits(book: Book, clock: Clock, **rates: float) -> RateLimits:
    proxies = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
    return RateLimits(book.access, burst_s=1.0, proxies=proxies, now=clock, **rates)


def accepted(limits: RateLimits, address: str, authorization: str | None = None, tries: int = 100) -> int:
    asked = None if authorization is None else authorization.encode()
    return sum(limits.admits(address, asked) for _ in range(tries))


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "", True),
    ],
)
def test_which_addresses_are_one_client(
    book: Book, clock: Clock, first: str, second: str, are_one: bool
) -> None:
    counted = limits(book, clock, per_address=4.0)
    assert accepted(counted, first) == 4
    assert accepted(counted, second) == (0 if are_one else 4)


def test_a_principal_is_counted_wherever_it_asks_from(book: Book, clock: Clock) -> None:
    counted = limits(book, clock, per_principal=4.0)
    assert sum(accepted(counted, f"192.0.2.{n}", bearer("one"), 1) for n in range(100)) == 4
    assert accepted(counted, "192.0.2.1", bearer("two")) == 4


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", bearer("nobody")])
def test_who_is_nobody_is_counted_by_address_alone(
    book: Book, clock: Clock, authorization: str | None
) -> None:
    assert accepted(limits(book, clock, per_principal=1.0), "192.0.2.1", authorization) == 100
    assert accepted(limits(book, clock, per_principal=1.0, per_address=9.0), "192.0.2.1", authorization) == 9


def test_without_principals_nobody_is_counted_as_one(clock: Clock) -> None:
    assert accepted(limits(Book(), clock, per_principal=1.0), "192.0.2.1", bearer("one")) == 100


def test_a_credential_is_remembered_no_longer_than_it_is_valid(book: Book, clock: Clock) -> None:
    counted = limits(book, clock, per_principal=1.0)
    assert accepted(counted, "192.0.2.1", bearer("one")) == 1
    book.remove("one")
    assert accepted(counted, "192.0.2.1", bearer("one")) == 100


def test_the_refusal_says_how_many_and_when_to_come_again(book: Book, clock: Clock) -> None:
    counted = limits(book, clock, per_address=0.1)
    counted.check("192.0.2.1", None)
    with pytest.raises(RateExceeded, match=r"more than 0\.1 a second by one address") as caught:
        counted.check("192.0.2.1", None)
    assert caught.value.retry_after_s == 10


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a stranger's word
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "198.51.100.7", "198.51.100.7"),
        ("10.1.1.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # made up by the client
        ("10.1.1.1", "198.51.100.7, 10.2.2.2", "198.51.100.7"),  # through two proxies
        ("10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("10.1.1.1", "198.51.100.7:4711", "198.51.100.7"),
        ("::ffff:10.1.1.1", "198.51.100.7", "198.51.100.7"),
        ("fd00::1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("10.1.1.1", "unknown", "10.1.1.1"),
        ("10.1.1.1", "unknown, 10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", ",,", "10.1.1.1"),
        ("", "198.51.100.7", ""),
    ],
)
def test_whose_word_about_the_address_of_a_client_is_taken(
    book: Book, peer: str, forwarded: str, client: str
) -> None:
    assert limits(book, Clock()).client_of(peer, forwarded) == client
