"""The git door where there are principals: who may clone, and what a push may change."""

from __future__ import annotations

import base64
import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.access.credentials import token_hash
from configsvc.core.changes import Author
from configsvc.core.errors import PushRefused
from configsvc.core.names import principal_path
from configsvc.core.principals import ANYONE, format_time
from configsvc.gitdoor.admission import admit_unix_user
from configsvc.service.rights import right_for_path
from tests.access.book import Book, token_of
from tests.end_to_end.serving import QUIET, Server, serving
from tests.gitdoor.clones import Clone, clone
from tests.gitdoor.conftest import served_root
from tests.store.gitrepo import commit_files, git, new_repository, run_git


def file(name: str, roles: str, expires: str = "") -> str:
    end = f', expires: "{expires}"' if expires else ""
    return f'roles: {{{roles}}}\ntokens: [{{sha256: "{token_hash(token_of(name))}"{end}}}]\n'


PRINCIPALS = {
    "admin": '"**": admin',
    "reader": '"**": reader',
    "writer": '"**": reader, a: writer, team/**: admin',
    "elsewhere": "b: writer",
    "releaser": '"**": writer',
}
FILES = {
    "a.json": '{"v": "very-secret-value"}\n',
    "b.json": "{}\n",
    **{principal_path(name): file(name, roles) for name, roles in PRINCIPALS.items()},
    principal_path("expired"): file("expired", '"**": admin', format_time(1_000_000_000)),
}
MAY_CLONE = ("admin", "reader", "writer")
MAY_NOT = ("", "elsewhere", "expired", "nobody")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose principals are `PRINCIPALS`; the tests of this module share it."""
    repo = new_repository(tmp_path_factory.mktemp("closed") / "repo")
    commit_files(repo, FILES)
    with serving(repo, *QUIET) as server:
        yield server


def url_of(server: Server, who: str) -> str:
    """Return the URL by which somebody clones; their token is its password."""
    user = f"x:{token_of(who)}@" if who else ""
    return server.url.replace("http://", f"http://{user}") + "/config-repo.git"


def cloned(server: Server, who: str, folder: Path) -> Clone:
    return clone(url_of(server, who), folder)


@pytest.mark.slow
@pytest.mark.parametrize("who", [*MAY_CLONE, *MAY_NOT])
@pytest.mark.parametrize("command", ["ls-remote", "clone"])
def test_who_may_read_everything_may_clone(closed: Server, tmp_path: Path, who: str, command: str) -> None:
    target = [str(tmp_path / "clone")] if command == "clone" else []
    done = run_git(tmp_path, "-c", "credential.helper=", command, url_of(closed, who), *target)
    assert (done.returncode == 0) is (who in MAY_CLONE)
    assert not who or token_of(who) not in done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
@pytest.mark.parametrize(
    ("who", "status"), [("", 401), ("nobody", 401), ("expired", 401), ("elsewhere", 404)]
)
def test_no_request_of_git_gets_past(closed: Server, service: str, who: str, status: int) -> None:
    pair = base64.b64encode(f"x:{token_of(who)}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"} if who else {}
    headers["Content-Type"] = f"application/x-{service}-request"
    address = closed.url.removeprefix("http://")
    for method, target in (("GET", f"info/refs?service={service}"), ("POST", service)):
        with contextlib.closing(http.client.HTTPConnection(address, timeout=20)) as connection:
            body = b"0000" if method == "POST" else None
            connection.request(method, f"/config-repo.git/{target}", body, headers)
            answer = connection.getresponse()
            assert answer.status == status
            assert b"secret" not in answer.read()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "changes", "refused"),
    [
        ("writer", {"a.json": '{"v": 2}\n'}, ""),
        ("writer", {".configsvc/services/a.yaml": "owner: me\n"}, ""),
        ("writer", {"team/x.json": "{}\n", ".configsvc/schemas/team/_default.json": "{}\n"}, ""),
        (
            "writer",
            {"b.json": '{"v": 2}\n'},
            "b.json: not allowed to writer (expected: the role writer",
        ),
        ("writer", {"a.json": '{"v": 3}\n', "b.json": None}, "b.json: not allowed"),
        ("writer", {"README.md": "x"}, "README.md: not allowed"),
        ("writer", {".configsvc/services/b.yaml": "owner: me\n"}, "the role writer on b"),
        ("writer", {".configsvc/schemas/a.json": "{}\n"}, "the role admin on a"),
        ("writer", {".configsvc/schemas/_default.json": "{}\n"}, "the role admin on **"),
        ("writer", {principal_path("writer"): file("writer", '"**": admin')}, "the role admin on **"),
        ("writer", {principal_path("eve"): file("eve", '"**": admin')}, "the role admin on **"),
        (
            "reader",
            {"a.json": '{"v": 4}\n'},
            "reader may not change it (expected: the role writer on something)",
        ),
        ("admin", {principal_path("eve"): file("eve", "a: reader")}, ""),
        ("admin", {principal_path("admin"): file("admin", '"**": reader')}, "nobody would be left"),
        ("admin", {principal_path("admin"): None, principal_path("expired"): None}, "nobody would be left"),
    ],
)
def test_a_push_changes_what_its_principal_may_change(
    closed: Server, tmp_path: Path, who: str, changes: dict[str, str | None], refused: str
) -> None:
    mine = cloned(closed, who, tmp_path / "clone")
    mine.commit(changes)
    pushed = mine.push()
    assert pushed.ok is (refused == ""), pushed.text
    assert refused in pushed.text


@pytest.mark.slow
def test_a_push_gives_itself_no_right_not_even_for_a_while(closed: Server, tmp_path: Path) -> None:
    before = git(served_root(closed), "rev-parse", "main")
    mine = cloned(closed, "writer", tmp_path / "clone")
    mine.commit({principal_path("writer"): file("writer", '"**": admin')}, "grant")
    mine.commit({"b.json": '{"v": 9}\n'}, "use")
    mine.commit({principal_path("writer"): FILES[principal_path("writer")]}, "take back")
    assert not mine.push().ok
    assert git(served_root(closed), "rev-parse", "main") == before


@pytest.mark.slow
@pytest.mark.parametrize("target", ["refs/for/main", "refs/heads/idea", "refs/tags/v9", "refs/heads/admins"])
def test_a_reader_pushes_nothing_at_all(closed: Server, tmp_path: Path, target: str) -> None:
    root = served_root(closed)
    if target == "refs/heads/admins":
        admin = cloned(closed, "admin", tmp_path / "admin")
        assert admin.push("HEAD:refs/heads/admins", "--force").ok
    before = git(root, "for-each-ref")
    mine = cloned(closed, "reader", tmp_path / "clone")
    mine.commit({"a.json": '{"v": "reader"}\n'})
    pushed = mine.push(f"HEAD:{target}")
    assert not pushed.ok
    assert "reader may not change it (expected: the role writer on something)" in pushed.remote[0]
    assert git(root, "for-each-ref") == before


@pytest.mark.slow
def test_a_tag_is_made_by_a_writer_of_everything_and_deleted_by_an_admin(
    closed: Server, tmp_path: Path
) -> None:
    mine = cloned(closed, "releaser", tmp_path / "clone")
    assert "the role writer on **" in cloned(closed, "writer", tmp_path / "w").push("HEAD:refs/tags/v2").text
    assert mine.push("HEAD:refs/tags/v2").ok
    assert "an admin; a tag is written once" in mine.push(":refs/tags/v2").text
    admin = cloned(closed, "admin", tmp_path / "admin")
    admin.commit({"moved.json": "{}\n"})
    assert "written once" in admin.push("--force", "HEAD:refs/tags/v2").text
    assert admin.push(":refs/tags/v2").ok


@pytest.mark.slow
def test_a_push_is_landed_under_the_name_of_its_principal(closed: Server, tmp_path: Path) -> None:
    mine = cloned(closed, "writer", tmp_path / "clone")
    other = cloned(closed, "admin", tmp_path / "other")
    other.commit({"other.json": "{}\n"})
    assert other.push().ok
    mine.commit({"a.json": '{"v": "merged"}\n'})
    pushed = mine.push()
    assert pushed.ok, pushed.text
    author = git(served_root(closed), "log", "-1", "--format=%an <%ae>", "main")
    assert author == "writer <writer@configsvc.invalid>"


@pytest.mark.slow
def test_a_push_from_this_machine_is_refused_unless_its_user_is_a_principal(
    closed: Server, tmp_path: Path
) -> None:
    here = clone(served_root(closed), tmp_path / "clone")
    here.commit({"a.json": '{"v": "local"}\n'})
    pushed = here.push()
    assert not pushed.ok
    assert "is no principal" in pushed.text


def test_a_unix_user_is_who_the_principals_say() -> None:
    book = Book()
    user = Author("Ops Person", "ops@localhost")
    assert admit_unix_user(book.access, user).principal is ANYONE
    book.add("admin", all="admin")
    with pytest.raises(PushRefused, match="Unix user ops is no principal"):
        admit_unix_user(book.access, user)
    bot = book.add("bot", user="ops", a="writer")
    assert admit_unix_user(book.access, user).principal == bot


@pytest.mark.parametrize(
    ("path", "action", "target"),
    [
        ("a/b.yaml", "WRITE", "a/b"),
        (".configsvc/services/a/b.yaml", "WRITE", "a/b"),
        (".configsvc/schemas/a/b.json", "ADMINISTER", "a/b"),
        (".configsvc/schemas/a/_default.json", "ADMINISTER", "a/**"),
        (".configsvc/principals/a.yaml", "ADMINISTER", "**"),
        ("a/README.md", "WRITE", "a/README.md"),
        ("CODEOWNERS", "WRITE", "CODEOWNERS"),
    ],
)
def test_each_file_needs_its_right(path: str, action: str, target: str) -> None:
    found = right_for_path(path)
    assert (found[0].name, found[1]) == (action, target)
