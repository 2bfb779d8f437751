"""What an application may write; mypy finds nothing in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, assert_type

import pydantic

from configsvc.client import AsyncClient, AsyncLiveConfig, Change, Client, LiveConfig, Status


@dataclass(frozen=True)
class Settings:
    timeout_s: float


class Limits(TypedDict):
    most: int


class Model(pydantic.BaseModel):
    n: int


def parse(document: Mapping[str, Any]) -> tuple[int, str]:
    return document["a"], document["b"]


def use(client: Client) -> None:
    typed = client.config("payments/api", bind=Settings, default=Settings(1.0))
    assert_type(typed, LiveConfig[Settings])
    assert_type(typed.value.timeout_s, float)
    assert_type(typed.version, int | None)
    assert_type(typed.status, Status)
    assert_type(client.config("a", bind=Limits).value["most"], int)
    assert_type(client.config("a", bind=Model).value, Model)
    assert_type(client.config("a", bind=parse).value, tuple[int, str])
    assert_type(client.config("a", bind=dict[str, int]).value, dict[str, int])
    assert_type(client.config("a", default={"n": 1}).value, Mapping[str, Any])
    typed.wait_ready(1.0, from_server=True)

    @typed.on_change
    def changed(change: Change[Settings]) -> None:
        assert_type(change.new, Settings)
        assert_type(change.old, Settings | None)
        assert_type(change.changed, tuple[str, ...])

    typed.on_change(lambda change: str(change.new.timeout_s))
    typed.forget(changed)


async def use_async(client: AsyncClient) -> None:
    typed = await client.config("payments/api", bind=Settings)
    assert_type(typed, AsyncLiveConfig[Settings])
    assert_type((await client.config("a")).value, Mapping[str, Any])

    @typed.on_change
    async def changed(change: Change[Settings]) -> None:
        assert_type(change.new.timeout_s, float)

    await typed.wait_ready(1.0)
