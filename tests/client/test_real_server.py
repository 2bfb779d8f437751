"""The real client against the real server, over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.client import (
    AsyncClient,
    Client,
    Committed,
    Deleted,
    Document,
    DryRun,
    MetaWritten,
    NoAnswer,
    PrincipalWritten,
    Refused,
    Retries,
    SchemaWritten,
    Written,
)
from configsvc.core import errors
from configsvc.testing.server import RunningServer
from tests.client.servers import KINDS, server_of
from tests.end_to_end.serving import QUIET, Server, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server | RunningServer]:
    with server_of(request.param, tmp_path_factory.mktemp("client")) as running:
        yield running


@pytest.fixture
def client(server: Server | RunningServer) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def read(client: Client, service: str) -> Document:
    """Return the newest document."""
    document = client.get(service)
    assert document is not None
    return document


def test_a_service_lives_from_its_creation_to_its_deletion(client: Client) -> None:
    created = client.put("life/api", text="# euro\nlimit: 1\n", message="Begin")
    assert isinstance(created, Written)
    assert client.get("life/api", if_none_match=read(client, "life/api").etag) is None
    changed = client.patch("life/api", {"limit": 2}, if_match=created.etag)
    assert isinstance(changed, Written)
    client.patch("life/api", [{"op": "add", "path": "/more", "value": 3}])
    assert read(client, "life/api").value == {"limit": 2, "more": 3}
    with pytest.raises(errors.PreconditionFailed) as caught:
        client.put("life/api", {"limit": 5}, if_match=created.etag)
    assert caught.value.details[0]["version"] == 2
    assert "+more: 3" in client.diff("life/api").text
    assert client.diff_operations("life/api").operations == ({"op": "add", "path": "/more", "value": 3},)
    assert isinstance(client.rollback("life/api", 0), Written)
    assert client.get_version("life/api", 0).message.startswith("Begin")
    first = client.history("life/api", limit=3)
    rest = client.history("life/api", cursor=first.next_cursor)
    assert [item.version for item in (*first.items, *rest.items)] == [3, 2, 1, 0]
    with pytest.raises(errors.ServiceEnabled):
        client.delete("life/api")
    assert isinstance(client.patch_meta("life/api", {"enabled": False, "owner": "us"}), MetaWritten)
    assert client.get_meta("life/api").owner == "us"
    assert isinstance(client.delete("life/api"), Deleted)
    with pytest.raises(errors.ServiceNotFound):
        client.get("life/api")


def test_a_document_is_read_as_the_text_that_is_stored(client: Client) -> None:
    client.put("text/api", text="# euro\nlimit: 1\n")
    client.put("text/api", {"limit": 2})
    newest = client.get_text("text/api")
    assert (newest.text, newest.format, newest.version) == ("# euro\nlimit: 2\n", "yaml", 1)
    assert client.get_text("text/api", version=0).text == "# euro\nlimit: 1\n"
    other = client.get_text("text/api", format="json")
    assert (other.text, other.format) == ('{\n  "limit": 2\n}\n', "json")
    verdict = client.validate("text/api", text="a: 1\nb: [\n")
    assert verdict.violations[0].line == 3
    assert isinstance(client.put("text/api", {"limit": 3}, if_match=newest.etag), Written)


def test_commits_dry_runs_and_validation(client: Client) -> None:
    changes = [{"op": "put", "service": f"many/{name}", "value": {"n": 1}} for name in "ab"]
    dry = client.commit(changes, dry_run=True)
    assert isinstance(dry, DryRun)
    assert [version.service for version in dry.versions] == ["many/a", "many/b"]
    landed = client.commit(changes, message="Two")
    assert isinstance(landed, Committed)
    assert [version.version for version in landed.versions] == [0, 0]
    assert client.get_commit(landed.commit_id).revision == landed.revision
    assert client.list_commits(limit=1).items[0].commit_id == landed.commit_id
    assert [item.service for item in client.list_configs(prefix="many/").items] == ["many/a", "many/b"]
    assert client.validate("many/a", {"n": 1}).valid
    with pytest.raises(errors.RevisionMismatch):
        client.commit(changes, expected_revision=1)


@pytest.mark.parametrize("name", ["kept/api", "kept/-/default"])
def test_schemas(client: Client, name: str) -> None:
    schema = {"properties": {"n": {"type": "integer"}}}
    assert isinstance(client.put_schema(name, schema), SchemaWritten)
    assert client.get_schema(name).value == schema
    assert name in [item.schema for item in client.list_schemas().items]
    with pytest.raises(errors.SchemaViolated) as caught:
        client.put("kept/api", {"n": "x"})
    assert caught.value.details[0]["pointer"] == "/n"
    verdict = client.validate("kept/api", {"n": "x"})
    assert (verdict.valid, verdict.violations[0].pointer) == (False, "/n")
    gone = client.delete_schema(name)
    assert isinstance(gone, SchemaWritten)
    assert gone.deleted


def test_it_reads_what_it_wrote(client: Client) -> None:
    written = client.put("own/api", {"n": 1})
    assert isinstance(written, Written)
    assert read(client, "own/api").revision >= client.min_revision == written.revision


def test_principals(tmp_path: Path) -> None:
    def sha256(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    token = "t" * 40
    with serving(tmp_path / "repo", *QUIET) as server, Client(server.url, token=token) as client:
        made = client.create_principal("ops", {"**": "admin"}, sha256(token), description="the team")
        assert isinstance(made, PrincipalWritten)
        client.create_principal("bot", {"a/**": "writer"}, sha256("u" * 40), expires="2999-01-01T00:00:00Z")
        client.rotate_token("bot", sha256("v" * 40), overlap_s=60)
        assert [found.name for found in client.list_principals().items] == ["bot", "ops"]
        old, new = client.get_principal("bot").tokens
        assert (old.id, new.id) == (sha256("u" * 40)[:8], sha256("v" * 40)[:8])
        client.revoke_token("bot", old.id)
        assert client.get_principal("bot").tokens == (new,)
        client.delete_principal("bot")
        with pytest.raises(errors.PrincipalNotFound):
            client.get_principal("bot")
        with pytest.raises(errors.PrincipalsConflict):
            client.delete_principal("ops")


def test_a_rejection_is_told_to_the_log_of_clients(client: Client) -> None:
    client.put("told/api", {"n": "x"})
    problems = [{"pointer": f"/{number}", "message": "m" * 1000} for number in range(50)]
    client.report_rejection("told/api", 0, problems, application="billing" * 50)
    client.report_rejection("told/api", 0)
    with pytest.raises(errors.VersionNotFound):
        client.report_rejection("told/api", 7)


def test_what_a_server_is(client: Client) -> None:
    assert client.server_info().name == "configsvc"


def test_the_asynchronous_client_over_tcp(server: Server | RunningServer) -> None:
    async def use() -> object:
        async with AsyncClient(server.url) as client:
            await client.put("later/api", {"n": 7})
            return await client.get("later/api", pointer="/n")

    document = asyncio.run(use())
    assert isinstance(document, Document)
    assert document.value == 7


def test_a_dead_server_is_passed_over(server: Server | RunningServer) -> None:
    with Client(["http://127.0.0.1:1", server.url]) as client:
        assert client.server_info().name == "configsvc"


def test_no_server_at_all_is_told() -> None:
    with (
        Client("http://127.0.0.1:1", retries=Retries(attempts=1)) as client,
        pytest.raises(NoAnswer, match=r"127\.0\.0\.1:1: ConnectError"),
    ):
        client.server_info()


def test_no_log_and_no_repr_shows_the_token(
    server: Server | RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Client(server.url, token="hidden-" + "0" * 40) as client:
        for call in (client.server_info, lambda: client.put("tokens/none", {"n": 1})):
            with contextlib.suppress(Refused):
                call()
        assert "hidden-" not in repr(vars(client))
    assert caplog.records
    assert "hidden-" not in caplog.text


LOADED = """
import sys
import configsvc.client
names = {name.partition(".")[0] for name in sys.modules}
heavy = {"asyncio", "flask", "werkzeug", "git", "yaml", "ruamel", "jsonschema", "httpx", "click"}
print(*sorted(names & heavy))
print(*sorted(name for name in sys.modules if name.startswith("configsvc.")))
"""


def test_importing_the_client_loads_nothing_of_the_server() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    names, rooms = ran.stdout.splitlines()
    assert names == ""
    assert all(room.startswith(("configsvc.client", "configsvc.core")) for room in rooms.split())


@pytest.mark.thorough
def test_the_client_alone_installs_httpx_and_nothing_of_the_server(tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[2]
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
    python = str(venv / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    # A copy, so that no build folder appears in the project.
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "configsvc").symlink_to(source / "configsvc")
    subprocess.run([*pip, "install", "--quiet", str(tmp_path)], check=True, timeout=250)
    listed = subprocess.run([*pip, "list", "--format=freeze"], capture_output=True, text=True, check=True)
    names = {line.partition("==")[0].lower() for line in listed.stdout.split()}
    allowed = {
        "configsvc",
        "httpx",
        "httpcore",
        "h11",
        "anyio",
        "idna",
        "certifi",
        "sniffio",
        "typing_extensions",
    }
    assert names - {"pip", "setuptools", "wheel"} <= allowed
    subprocess.run(
        [python, "-c", "import configsvc.client as c; c.Client('http://x').close()"],
        check=True,
        timeout=60,
        cwd=tmp_path / "venv",
    )
