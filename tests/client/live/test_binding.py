"""Documents as values of a type."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import pydantic
import pytest

from configsvc.client import BindingFailed
from configsvc.client.live.binding import binder, members


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


Port = NewType("Port", int)


@dataclass(frozen=True)
class Database:
    host: str
    port: Port = Port(5432)


@dataclass
class Settings:
    timeout_s: float
    retries: int
    is_on: bool
    database: Database
    level: Level = Level.LOW
    mode: Literal["a", "b", 3] = "a"
    note: str | None = None
    hosts: tuple[str, ...] = ()
    pair: tuple[int, str] = (0, "")
    backends: dict[str, Database] = field(default_factory=dict)
    others: Sequence[Database] = ()
    tags: frozenset[str] = frozenset()
    folder: Annotated[Path, "made absolute"] = Path("/")
    since: dt.date | None = None
    number: uuid.UUID | None = None
    anything: Any = None
    tls: str = field(default="", metadata={"key": "tls-mode"})
    either: int | list[int] = 0
    derived: int = field(init=False, default=7)


@dataclass
class Tree:
    name: str
    below: list[Tree] = field(default_factory=list)


class Limits(TypedDict):
    most: int
    least: NotRequired[int]


class Model(pydantic.BaseModel):
    timeout_s: float
    database: Database


WHOLE = {
    "timeout_s": 3,
    "retries": 2,
    "is_on": True,
    "database": {"host": "db", "unknown": 1},
    "level": "high",
    "mode": 3,
    "note": "text",
    "hosts": ["a", "b"],
    "pair": [1, "x"],
    "backends": {"one": {"host": "h", "port": 1}},
    "others": [{"host": "o"}],
    "tags": ["t", "t"],
    "folder": "/srv",
    "since": "2026-01-02",
    "number": "12345678123456781234567812345678",
    "anything": [{"deep": None}],
    "tls-mode": "strict",
    "either": [1, 2],
    "unknown": "passed over",
}


def test_a_dataclass_with_all_that_json_can_hold() -> None:
    assert binder(Settings)(WHOLE) == Settings(
        3.0,
        2,
        True,
        Database("db"),
        Level.HIGH,
        3,
        "text",
        ("a", "b"),
        (1, "x"),
        {"one": Database("h", Port(1))},
        [Database("o")],
        frozenset({"t"}),
        Path("/srv"),
        dt.date(2026, 1, 2),
        uuid.UUID(int=0x12345678123456781234567812345678),
        [{"deep": None}],
        "strict",
        [1, 2],
    )
    assert type(binder(Settings)(WHOLE).timeout_s) is float


def test_members_that_are_missing_have_their_defaults() -> None:
    least = {"timeout_s": 0.5, "retries": 0, "is_on": False, "database": {"host": "x"}}
    assert binder(Settings)(least) == Settings(0.5, 0, False, Database("x"))


def test_a_class_that_contains_itself() -> None:
    assert binder(Tree)({"name": "a", "below": [{"name": "b"}]}) == Tree("a", [Tree("b")])


def test_a_typed_dict() -> None:
    assert binder(Limits)({"most": 3, "unknown": 1}) == {"most": 3}
    assert binder(Limits)({"most": 3, "least": 1}) == {"most": 3, "least": 1}


def test_a_pydantic_model_validates_by_itself() -> None:
    assert binder(Model)({"timeout_s": "3", "database": {"host": "x"}}) == Model(
        timeout_s=3.0, database=Database("x")
    )
    with pytest.raises(BindingFailed) as caught:
        binder(Model)({"timeout_s": "secret", "database": {}})
    assert [each["pointer"] for each in caught.value.details] == ["/timeout_s", "/database/host"]
    assert "secret" not in caught.value.message


class Zoned(pydantic.BaseModel):
    zone: str

    @pydantic.field_validator("zone")
    @classmethod
    def known(cls, zone: str) -> str:
        return {"a": "A"}[zone]


@dataclass
class Outer:
    inner: Zoned


def test_whatever_a_validator_raises_is_why_a_document_does_not_fit() -> None:
    assert binder(Outer)({"inner": {"zone": "a"}}) == Outer(Zoned.model_construct(zone="A"))
    with pytest.raises(BindingFailed) as caught:
        binder(Outer)({"inner": {"zone": "secret"}})
    finding = {"pointer": "/inner", "message": "KeyError: 'secret'", "kind": "KeyError"}
    assert list(caught.value.details) == [finding]


def test_a_document_too_deep_for_a_class_that_contains_itself_does_not_fit() -> None:
    document: dict[str, object] = {"name": "leaf"}
    for _ in range(20_000):
        document = {"name": "node", "below": [document]}
    with pytest.raises(BindingFailed, match="RecursionError"):
        binder(Tree)(document)


def test_a_function() -> None:
    assert binder(lambda document: document["n"] + 1)({"n": 1}) == 2
    with pytest.raises(BindingFailed, match="KeyError: 'n'"):
        binder(lambda document: document["n"])({})


def test_a_type_with_parameters() -> None:
    assert binder(dict[str, int])({"n": 1}) == {"n": 1}
    with pytest.raises(BindingFailed, match=r"/n: a string \(expected: a whole number\)"):
        binder(dict[str, int])({"n": "x"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"timeout_s": "x"}, "/timeout_s: a string (expected: a number)"),
        ({"timeout_s": 10**400}, "/timeout_s: a whole number that no float holds (expected: a smaller one)"),
        ({"timeout_s": True}, "/timeout_s: true or false (expected: a number)"),
        ({"retries": 1.0}, "/retries: a number (expected: a whole number)"),
        ({"retries": True}, "/retries: true or false (expected: a whole number)"),
        ({"is_on": 1}, "/is_on: a whole number (expected: true or false)"),
        ({"database": {}}, "/database/host: missing (expected: a value)"),
        ({"database": []}, "/database: a list (expected: an object)"),
        ({"level": "middle"}, "/level: a string that is no choice (expected: 'low', 'high')"),
        ({"mode": True}, "/mode: true or false that is no choice (expected: 'a', 'b', 3)"),
        ({"note": 3}, "/note: a whole number (expected: a string or null)"),
        ({"hosts": "ab"}, "/hosts: a string (expected: a list)"),
        ({"hosts": ["a", None]}, "/hosts/1: null (expected: a string)"),
        ({"pair": [1]}, "/pair: a list of 1 (expected: 2 items)"),
        ({"backends": {"a/b": {"host": 1}}}, "/backends/a~1b/host: a whole number (expected: a string)"),
        ({"since": "soon"}, "/since: a string (expected: date or null)"),
        ({"tls-mode": 1}, "/tls-mode: a whole number (expected: a string)"),
        ({"either": [1, "x"]}, "/either/1: a string (expected: a whole number)"),
        ({"folder": 1}, "/folder: a whole number (expected: a string that is a Path)"),
        ({"tags": [[1]]}, "/tags/0: a list (expected: a string)"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told_with_its_place(changes: Mapping[str, object], told: str) -> None:
    with pytest.raises(BindingFailed) as caught:
        binder(Settings)({**WHOLE, **changes})
    assert caught.value.message == told


def test_all_that_does_not_fit_is_told_at_once_and_no_value_is_shown() -> None:
    with pytest.raises(BindingFailed) as caught:
        binder(Settings)({"timeout_s": "hunter2", "retries": "hunter2"})
    assert [each["pointer"] for each in caught.value.details] == [
        "/timeout_s",
        "/retries",
        "/is_on",
        "/database",
    ]
    assert "hunter2" not in str(caught.value)


def test_what_a_class_refuses_itself_is_a_finding() -> None:
    @dataclass
    class Positive:
        n: int

        def __post_init__(self) -> None:
            if self.n < 0:
                raise ValueError(f"n: {self.n} (expected: >= 0)")

    with pytest.raises(BindingFailed, match=r"document: ValueError: n: -1 \(expected: >= 0\)"):
        binder(Positive)({"n": -1})


class Plain:
    pass


@dataclass
class Odd:
    thread: Plain


@dataclass
class Call:
    hook: Callable[[], None]


@pytest.mark.parametrize("kind", [Plain, Odd, Call], ids=str)
def test_a_type_that_no_document_has_is_refused_before_any_document_comes(kind: type) -> None:
    with pytest.raises(TypeError, match="expected: a dataclass"):
        binder(kind)


def test_the_members_of_a_default() -> None:
    assert members({"n": 1}) == {"n": 1}
    assert members(Database("x")) == {"host": "x", "port": 5432}
    assert members(Model(timeout_s=1, database=Database("x")))["timeout_s"] == 1
    assert members(3) == {}
