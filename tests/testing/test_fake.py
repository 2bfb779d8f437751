"""A test that passes with the fake server passes with a real one, as far as the fake plays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from configsvc.client import Client, Written
from configsvc.core.errors import ConfigError, DocumentInvalid, PreconditionFailed
from configsvc.testing import FakeServer
from configsvc.testing.server import RunningServer

SERVICE = "payments/api"


@pytest.fixture(params=["configsvc_fake", pytest.param("configsvc_server", marks=pytest.mark.slow)])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    server: FakeServer | RunningServer = request.getfixturevalue(request.param)
    with server.client() as made:
        yield made


def put(client: Client, service: str, value: dict[str, object], **conditions: Any) -> Written:
    """Return what came of a put."""
    made = client.put(service, value, **conditions)
    assert isinstance(made, Written)
    return made


def test_conditions_of_a_put_are_kept(client: Client) -> None:
    first = put(client, SERVICE, {"n": 1}, create_only=True)
    with pytest.raises(PreconditionFailed):
        put(client, SERVICE, {"n": 2}, create_only=True)
    second = put(client, SERVICE, {"n": 2}, if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        put(client, SERVICE, {"n": 3}, if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        put(client, "payments/other", {"n": 3}, if_match="*")
    found = client.get(SERVICE)
    assert found is not None
    assert (found.value, found.version, found.etag) == ({"n": 2}, second.version, second.etag)


def test_what_changes_nothing_makes_no_version(client: Client) -> None:
    made = [put(client, SERVICE, {"n": 1}) for _ in range(2)]
    assert [each.changed for each in made] == [True, False]
    assert made[0].version == made[1].version


def test_only_a_mapping_is_a_document(client: Client) -> None:
    with pytest.raises(DocumentInvalid):
        client.put(SERVICE, text="[1]", text_format="json")


def test_the_text_of_a_document_is_read(client: Client) -> None:
    put(client, SERVICE, {"n": 1})
    text = client.get_text(SERVICE)
    assert (text.format, "".join(text.text.split())) == ("json", '{"n":1}')


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.put(SERVICE, {"n": 2}, dry_run=True),
        lambda client: client.put(SERVICE, text="n: 2", text_format="yaml"),
        lambda client: client.get(SERVICE, version=0),
        lambda client: client.get(SERVICE, pointer="/n"),
        lambda client: client.get_text(SERVICE, format="yaml"),
        lambda client: client.get_meta(SERVICE),
        lambda client: client.patch(SERVICE, {"n": 2}),
    ],
)
def test_what_is_not_played_is_refused_and_changes_nothing(ask: Callable[[Client], object]) -> None:
    server = FakeServer({SERVICE: {"n": 1}})
    with server.client() as client:
        with pytest.raises(ConfigError, match="not played by FakeServer"):
            ask(client)
        found = client.get(SERVICE)
    assert found is not None
    assert (found.value, found.version) == ({"n": 1}, 0)
