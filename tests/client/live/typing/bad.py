"""What an application may not write; each line names the error that mypy finds in it."""

from __future__ import annotations

from dataclasses import dataclass

from configsvc.client import AsyncClient, Change, Client


@dataclass(frozen=True)
class Settings:
    timeout_s: float


def only_text(document: str) -> int:
    return len(document)


def changed_text(change: Change[str]) -> None: ...


def use(client: Client) -> None:
    config = client.config("payments/api", bind=Settings)
    str(config.value.timeout)  # error: attr-defined
    config.value.timeout_s = 1.0  # error: misc
    config.on_change(lambda change: change.new.timeout)  # error: attr-defined
    config.on_change(changed_text)  # error: arg-type
    text: str = config.value.timeout_s  # error: assignment
    str((text, config.version + 1))  # error: operator
    client.config("payments/api", bind=only_text)  # error: arg-type
    client.config("payments/api", default=[1])  # error: call-overload
    client.config("payments/api", Settings)  # error: call-overload
    plain = client.config("payments/api")
    plain.value["n"] = 1  # error: index
    config.value = Settings(1.0)  # error: misc


async def use_async(client: AsyncClient) -> None:
    config = await client.config("payments/api", bind=Settings)
    config.wait_ready(1.0)  # error: unused-coroutine
