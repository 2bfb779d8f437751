"""What must hold of all principals together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from configsvc.core.principals import format_time
from configsvc.core.reports import Violation
from configsvc.core.trees import FILE, PathChange
from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.validation.gate import judge_changes
from tests.validation.memory_tree import MemoryTree

NOW_S = 1_800_000_000.0
NOBODY = "nobody would be left with the role admin on **"


def file(
    role: str = "reader", path: str = "**", *, token: str = "", expires_s: float = 0, user: str = ""
) -> bytes:
    lines = [f'roles: {{"{path}": {role}}}']
    if token:
        expires = f", expires: {format_time(expires_s)}" if expires_s else ""
        lines.append(f"tokens: [{{sha256: {token.ljust(64, '0')}{expires}}}]")
    if user:
        lines.append(f"unix_user: {user}")
    return ("\n".join(lines) + "\n").encode()


ADMIN = file("admin", token="aa")


def judge(files: Mapping[str, bytes], *changed: str) -> list[Violation]:
    """Return what is wrong with a tree in which principals changed; one that is not in it was removed."""
    paths = {name: f".configsvc/principals/{name}.yaml" for name in (*files, *changed)}
    tree = MemoryTree({paths[name]: data for name, data in files.items()})
    changes = [PathChange(paths[name], FILE if name in files else None, None) for name in changed]
    return judge_changes(changes, tree, bounds=BOUNDS, now_s=NOW_S)


@pytest.mark.parametrize(
    "files",
    [
        {"admin": ADMIN},
        {"admin": ADMIN, "bot": file("writer", "a/**", token="bb")},
        {"admin": file("admin", token="aa", expires_s=NOW_S + 1)},
    ],
)
def test_principals_among_whom_is_an_admin_are_accepted(files: dict[str, bytes]) -> None:
    assert judge(files, *files) == []


@pytest.mark.parametrize(
    "files",
    [
        {"bot": file("writer", token="aa")},
        {"bot": file("admin", "a/**", token="aa")},
        {"bot": file("admin")},
        {"bot": file("admin", token="aa", expires_s=NOW_S)},
        {"bot": b"roles: {'**': reader} # admin\n"},
    ],
)
def test_principals_without_an_admin_who_can_sign_in_are_refused(files: dict[str, bytes]) -> None:
    (found,) = judge(files, "bot")
    assert found.path == ".configsvc/principals/bot.yaml"
    assert NOBODY in found.message


def test_the_last_admin_cannot_be_removed() -> None:
    assert NOBODY in judge({"bot": file("writer", token="bb")}, "admin")[0].message
    assert NOBODY in judge({}, "admin")[0].message
    assert judge({"second": file("admin", token="bb")}, "admin") == []


def test_a_change_of_something_else_is_not_held_up_by_principals_without_an_admin() -> None:
    tree = MemoryTree({".configsvc/principals/bot.yaml": file("writer"), "a.json": b"{}"})
    changes = [PathChange("a.json", FILE, None)]
    assert judge_changes(changes, tree, bounds=BOUNDS, now_s=NOW_S) == []
    assert tree.asked == ["a.json"]


def test_a_file_of_another_principal_that_is_not_valid_lets_nobody_in_and_hinders_nobody() -> None:
    assert judge({"admin": ADMIN, "old": b"admin: ["}, "admin") == []
    assert NOBODY in judge({"old": b"admin: [", "bot": file("writer")}, "bot")[0].message


def test_a_token_is_of_one_principal() -> None:
    files = {
        "admin": ADMIN,
        "copy": file("reader", token="aa"),
        "comment": b"# " + b"aa".ljust(64, b"0") + b"\n{}",
    }
    (found,) = judge(files, "copy")
    assert found.pointer == "/tokens/0"
    assert found.message == "token: is one of admin too (expected: a token of its own)"
    assert judge(files, "comment") == []


def test_a_unix_user_is_one_principal() -> None:
    files = {"admin": ADMIN, "a": file(user="ops"), "b": file(user="ops"), "c": file(user="op")}
    (found,) = judge(files, "b")
    assert (found.pointer, found.message) == ("/unix_user", "unix_user: ops is a too (expected: one of them)")
    assert judge(files, "c") == []


@pytest.mark.parametrize("name", ["anonymous", "configsvc"])
def test_a_name_of_the_servers_own_is_refused(name: str) -> None:
    (found,) = judge({"admin": ADMIN, name: file()}, name)
    assert found.message == f"name: {name} is the server's own (expected: another one)"


def test_what_is_wrong_with_one_file_is_told_alone() -> None:
    (found,) = judge({"bot": b"roles:\n  a: boss\n"}, "bot")
    assert (found.pointer, found.line) == ("/roles/a", 2)
