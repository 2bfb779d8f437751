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
from configsvc.gitdoor.faults import fault_of
from configsvc.gitdoor.inflating import read_chunks
from configsvc.gitdoor.process import GitProcess
from configsvc.gitdoor.pushers import Pushers
from configsvc.service import ConfigService
from configsvc.settings import Settings
from configsvc.store.memory import MemoryStore
from tests.store.gitrepo import commit_files, new_repository
from tests.store.gitrepo import git as git_output

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


def packet(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


def fetch_v2(*arguments: str, capabilities: tuple[str, ...] = ("command=fetch\n",)) -> bytes:
    """Return a request of protocol version 2."""
    before = b"".join(map(packet, capabilities))
    return before + b"0001" + b"".join(packet(f"{argument}\n") for argument in arguments) + b"0000"


def fetch_v0(want: str, *more: str, then: tuple[str, ...] = ("done",)) -> bytes:
    """Return a request of protocol version 0."""
    asked = b"".join(packet(f"{line}\n") for line in (want, *more))
    return asked + b"0000" + b"".join(packet(f"{line}\n") for line in then)


NONE, SOME = "0" * 40, "1" * 40
# Version of the protocol, and the request; HEAD stands for the commit that there is.
MALFORMED_FETCHES = {
    "unknown command": (2, packet("command=foo\n") + b"0000"),
    "no command": (2, packet("agent=x\n") + b"0000"),
    "two commands": (2, fetch_v2(capabilities=("command=fetch\n", "command=ls-refs\n"))),
    "unknown capability": (2, b"0004"),
    "a delimiter alone": (2, b"0001"),
    "an end of response": (2, b"0002"),
    "unknown argument": (2, fetch_v2("zzz")),
    "unknown argument of ls-refs": (
        2,
        fetch_v2("zzz", capabilities=("command=ls-refs\n",)),
    ),
    "sha256": (2, fetch_v2(capabilities=("command=fetch\n", "object-format=sha256\n"))),
    "bad format": (2, fetch_v2(capabilities=("object-format=foo\n",))),
    "bad filter": (2, fetch_v2("want HEAD", "filter foo:bar", "done")),
    "dropped filter": (2, fetch_v2("want HEAD", "filter sparse:path=x", "done")),
    "filter too deep": (2, fetch_v2("want HEAD", "filter tree:99999999999999999999", "done")),
    "a long filter": (2, fetch_v2("want HEAD", "filter combine:" + "%25" * 5000, "done")),
    "negative deepen": (2, fetch_v2("want HEAD", "deepen -1", "done")),
    "bad deepen-since": (2, fetch_v2("want HEAD", "deepen-since x", "done")),
    "unknown deepen-not": (2, fetch_v2("want HEAD", "deepen-not refs/heads/typo", "done")),
    "a long deepen-not": (2, fetch_v2("want HEAD", "deepen-not " + "x" * 60000, "done")),
    "bad shallow": (2, fetch_v2("want HEAD", "shallow zzz", "done")),
    "bad have": (2, fetch_v2("want HEAD", "have zzz", "done")),
    "bad shallow, version 0": (0, fetch_v0("want HEAD", "shallow zz")),
    "bad deepen, version 0": (0, fetch_v0("want HEAD", "deepen x")),
    "unknown deepen-not, version 0": (0, fetch_v0("want HEAD deepen-not", "deepen-not typo")),
    "bad filter, version 0": (0, fetch_v0("want HEAD filter", "filter foo")),
    "bad have, version 0": (0, fetch_v0("want HEAD", then=("have zz", "done"))),
    "rubbish, version 0": (0, fetch_v0("want HEAD", then=("junk",))),
}
MALFORMED_PUSHES = {
    "a certificate": packet("push-cert\0 report-status") + packet("x\n") + b"0000",
    "sha256": packet(f"{NONE} {SOME} refs/heads/p\0 report-status object-format=sha256") + b"0000",
}


@pytest.mark.parametrize("case", MALFORMED_FETCHES)
def test_a_malformed_fetch_is_the_clients_mistake(client: FlaskClient, root: Path, case: str) -> None:
    version, request = MALFORMED_FETCHES[case]
    git_output(root, "config", "uploadpack.allowFilter", "true")
    head = git_output(root, "rev-parse", "HEAD")
    answer = client.post(
        "/config-repo.git/git-upload-pack",
        data=with_head(request, head),
        content_type="application/x-git-upload-pack-request",
        headers={"Git-Protocol": f"version={version}"},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "request-invalid")
    assert answer.get_json()["detail"].startswith("body: not understood by git")
    assert "BUG" not in answer.text


@pytest.mark.parametrize("case", MALFORMED_PUSHES)
def test_a_malformed_push_is_the_clients_mistake(client: FlaskClient, case: str) -> None:
    answer = client.post(
        "/config-repo.git/git-receive-pack",
        data=MALFORMED_PUSHES[case],
        content_type="application/x-git-receive-pack-request",
    )
    assert answer.status_code == 400
    assert answer.get_json()["detail"].startswith("body: not understood by git")


def with_head(request: bytes, head: str) -> bytes:
    """Return a request with the commit that there is for HEAD, and its packets as long as they are then."""
    for line in (b"want HEAD deepen-not\n", b"want HEAD filter\n", b"want HEAD\n"):
        longer = line.replace(b"HEAD", head.encode())
        request = request.replace(b"%04x" % (len(line) + 4) + line, b"%04x" % (len(longer) + 4) + longer)
    return request


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (128, "fatal: Out of memory, malloc failed (tried to allocate 99 bytes)"),
        (128, "error: index file corrupt\nfatal: unable to create temporary file: No space left on device"),
        (128, "fatal: not a git repository (or any of the parent directories): .git"),
        (128, "fatal: packed object 11 (stored in x.pack) is corrupt"),
        (128, "error: something"),
        (1, "fatal: invalid command"),
        (-9, ""),
    ],
)
def test_what_fails_on_this_machine_is_no_mistake_of_the_client(code: int, words: str) -> None:
    assert isinstance(fault_of(code, words), Unavailable)


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_is_read_as_it_is(encoding: str) -> None:
    assert b"".join(read_chunks(BytesIO(b"abc" * 100_000), encoding, max_bytes=300_000)) == b"abc" * 100_000


def test_a_body_is_bounded() -> None:
    with pytest.raises(RequestTooLarge):
        list(read_chunks(BytesIO(b"abcd"), "", max_bytes=3))
    with pytest.raises(RequestInvalid):
        list(read_chunks(BytesIO(b"abcd"), "gzip", max_bytes=3))
