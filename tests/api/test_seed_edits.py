"""A PATCH with JSON of a service whose document is YAML."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from configsvc.service import ConfigService
from tests.api.seed_client import SUCCESS, create, findings, get, put

YAML = "application/yaml"
TEXT = """\
# ask before you change this
base: &base
  retries:   3     # three times
  hosts: [a, 'b']
prod:
  <<: *base
  port: 80
"""
VALUE = {
    "base": {"retries": 3, "hosts": ["a", "b"]},
    "prod": {"retries": 3, "hosts": ["a", "b"], "port": 80},
}


@pytest.fixture
def yaml_client(client: FlaskClient) -> FlaskClient:
    assert put(client, "POST", data=TEXT, content_type=YAML).status_code == 201
    return client


def stored(service: ConfigService, name: str = "nginx") -> tuple[str, str]:
    """Return the format and the text of the newest version."""
    snapshot = service.snapshot()
    entry = service.find_entry(snapshot, name)
    assert entry.format is not None
    assert entry.blob_id is not None
    return entry.format.value, snapshot.blob(entry.blob_id).decode()


def test_json_edits_a_yaml_document(yaml_client: FlaskClient, service: ConfigService) -> None:
    response = put(yaml_client, "PATCH", value={**VALUE, "prod": {**VALUE["prod"], "port": 8080}})
    assert (response.text, response.headers["Config-Version"]) == (SUCCESS, "1")
    assert stored(service) == ("yaml", TEXT.replace("port: 80", "port: 8080"))
    assert get(yaml_client, query="&version=1").get_json()["prod"]["port"] == 8080


def test_json_of_an_equal_value_makes_no_version(yaml_client: FlaskClient, service: ConfigService) -> None:
    response = put(yaml_client, "PATCH", value=dict(reversed(VALUE.items())))
    assert (response.text, response.headers["Config-Version"]) == (SUCCESS, "0")
    assert stored(service) == ("yaml", TEXT)


def test_yaml_replaces_a_yaml_document_as_sent(yaml_client: FlaskClient, service: ConfigService) -> None:
    put(yaml_client, "PATCH", data="a:   1\n", content_type=YAML)
    assert stored(service) == ("yaml", "a:   1\n")


def test_yaml_replaces_a_json_document(client: FlaskClient, service: ConfigService) -> None:
    create(client)
    put(client, "PATCH", data="a:   1\n", content_type=YAML)
    assert stored(service) == ("yaml", "a:   1\n")


def test_json_after_a_deletion_is_created_as_sent(yaml_client: FlaskClient, service: ConfigService) -> None:
    yaml_client.patch("/config?service=nginx&enabled=false")
    yaml_client.delete("/config?service=nginx")
    create(yaml_client)
    assert stored(service)[0] == "json"


def test_an_edit_and_a_flag_are_one_commit(yaml_client: FlaskClient, service: ConfigService) -> None:
    before = service.snapshot().revision
    put(yaml_client, "PATCH", value={**VALUE, "new": True}, query="&enabled=false")
    assert service.snapshot().revision == before + 1
    assert stored(service) == ("yaml", TEXT + "new: true\n")


def test_a_large_yaml_document_is_not_edited_by_json(client: FlaskClient, service: ConfigService) -> None:
    text = TEXT + "#" * (128 << 10) + "\n"
    put(client, "POST", data=text, content_type=YAML)
    response = put(client, "PATCH", value={"a": 1})
    assert (response.status_code, response.get_json()["error"]) == (413, 413)
    assert any(finding.get("code") == "edit-too-large" for finding in findings(response))
    stale = put(client, "PATCH", value={"a": 1}, headers={"If-Match": '"7-0123456789abcdef-seed"'})
    assert stale.status_code == 412
    assert stored(service) == ("yaml", text)
