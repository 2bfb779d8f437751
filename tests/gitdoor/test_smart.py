"""The git processes behind the door: how many, how long, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from configsvc.access.decide import Admission
from configsvc.app import create_app
from configsvc.core.errors import PushRefused, RequestInvalid, RequestTooLarge, Unavailable
from configsvc.core.principals import Principal
from configsvc.gitdoor.inflating import read_chunks
from configsvc.gitdoor.process import GitProcess
from configsvc.gitdoor.pushers import Pushers
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore
from tests.store.gitrepo import commit_files, new_repository

REFS = "/config-repo.git/info/refs?service=git-upload-pack"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = new_repository(tmp_path / "repo")
    commit_files(made, {"a.json": "{}"})
    return made


@pytest.fixture
def client(root: Path) -> FlaskClient:
    settings = Settings(repo=root, git_processes=1)
    service = ConfigService(MemoryStore(), bounds=settings.bounds)
    return create_app(service, settings, pushers=Pushers()).test_client()


def test_one_more_than_there_may_be_is_told_to_come_again(client: FlaskClient) -> None:
    with client.get(REFS):
        refused = client.get(REFS)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert refused.get_json()["code"] == "git-busy"
    with client.get(REFS) as answer:
        assert answer.status_code == 200


def test_a_process_that_takes_too_long_is_ended(root: Path) -> None:
    started = time.monotonic()
    with (
        GitProcess(root, ["cat-file", "--batch"], environ={}, timeout_s=0.2) as git,
        pytest.raises(Unavailable, match="longer than it may"),
    ):
        git.read()
    assert time.monotonic() - started < 10
    assert not Path(f"/proc/{git.pid}").exists()


def test_input_that_never_ends_is_cut_off_at_the_time_limit(root: Path) -> None:
    def drops() -> Iterator[bytes]:
        while True:
            yield b"\n"

    with (
        GitProcess(root, ["hash-object", "--stdin"], environ={}, timeout_s=0.3) as git,
        pytest.raises(Unavailable),
    ):
        git.feed(drops())


def test_a_process_that_answers_before_it_has_heard_all_does_not_block(root: Path) -> None:
    asked = [b"HEAD\n" * 1000] * 20
    with GitProcess(root, ["cat-file", "--batch"], environ={}, timeout_s=30) as git:
        git.feed(asked)
        total = 0
        while chunk := git.read():
            total += len(chunk)
        assert git.wait() == 0
    assert total > 1 << 20


def test_a_process_that_wants_no_input_is_not_fed_on(root: Path) -> None:
    with GitProcess(root, ["version"], environ={}, timeout_s=30) as git:
        git.feed([b"x" * 65536] * 100)
        assert git.read().startswith(b"git version")


def test_an_id_stands_for_a_right_while_its_push_is_under_way() -> None:
    pushers, ann = Pushers(), Admission(Principal("ann"), 1)
    with pushers.known(ann) as push_id:
        assert pushers.find(push_id) is ann
    for unknown in (push_id, ""):
        with pytest.raises(PushRefused):
            pushers.find(unknown)


class Broken(BytesIO):
    """A body that ends as a connection does."""

    def __init__(self, error: OSError) -> None:
        super().__init__(b"0032")
        self._error = error

    def read1(self, size: int | None = -1, /) -> bytes:
        found = super().read1(size)
        if not found:
            raise self._error
        return found


@pytest.mark.parametrize(("error", "status"), [(ConnectionError(), 400), (TimeoutError(), 408)])
def test_a_client_that_goes_away_in_its_body_is_no_error_of_ours(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, error: OSError, status: int
) -> None:
    answer = client.post(
        "/config-repo.git/git-receive-pack",
        input_stream=Broken(error),
        content_type="application/x-git-receive-pack-request",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == status
    assert not [record for record in caplog.records if record.exc_info]
    with client.get(REFS) as after:
        assert after.status_code == 200


def test_a_service_that_is_named_twice_is_a_malformed_request(client: FlaskClient) -> None:
    answer = client.get(f"{REFS}&service=git-receive-pack")
    assert answer.status_code == 400
    assert "more than once" in answer.text


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_is_read_as_it_is(encoding: str) -> None:
    assert b"".join(read_chunks(BytesIO(b"abc" * 100_000), encoding, max_bytes=300_000)) == b"abc" * 100_000


def test_a_body_is_bounded() -> None:
    with pytest.raises(RequestTooLarge):
        list(read_chunks(BytesIO(b"abcd"), "", max_bytes=3))
    with pytest.raises(RequestInvalid):
        list(read_chunks(BytesIO(b"abcd"), "gzip", max_bytes=3))
