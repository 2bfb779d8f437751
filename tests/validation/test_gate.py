from __future__ import annotations

from dataclasses import replace

import pytest

from configsvc.core.names import ATTRIBUTES
from configsvc.core.reports import Violation
from configsvc.core.trees import PathChange
from configsvc.documents.bounds import DEFAULT_BOUNDS as BOUNDS
from configsvc.validation.gate import judge_changes
from tests.validation.memory_tree import MemoryTree

GOOD: dict[str, bytes] = {
    ".gitattributes": ATTRIBUTES,
    "nginx.json": b'{"workers": 4}',
    "nginx/edge.yaml": b"# comment\nworkers: 4\n",
    "README.md": b"\xff\x00 anything",
    "CODEOWNERS": b"",
    ".gitignore": b"*.swp\n",
    ".github/workflows/ci.yml": b"on: [push",
    ".pre-commit-config.yaml": b"{",
    "tools/check.sh": b"#!/bin/sh\n",
    ".configsvc/services/nginx.yaml": b"enabled: false\n",
    ".configsvc/services/gone.yaml": b"owner: ops\n",
    ".configsvc/schemas/_default.json": b'{"type": "object"}',
    ".configsvc/schemas/nginx/edge.json": b"{}",
    ".configsvc/principals/admin.yaml": b'roles: {"**": admin}\ntokens: [{sha256: ' + b"ab" * 32 + b"}]\n",
}


def judge(tree: MemoryTree, *changed: str) -> list[Violation]:
    changes = [change for change in tree.changes() if not changed or change.path in changed]
    return judge_changes(changes, tree, bounds=BOUNDS)


def judge_file(path: str, data: bytes = b"{}", mode: int = 0o100644) -> list[Violation]:
    return judge(MemoryTree({**GOOD, path: data}, {path: mode}), path)


def test_a_good_repository_has_no_violations() -> None:
    assert judge(MemoryTree(GOOD, {"tools/check.sh": 0o100755})) == []


def test_nothing_changed_is_nothing_wrong() -> None:
    assert judge_changes([], MemoryTree({"Nginx.json": b"{"}), bounds=BOUNDS) == []


def test_every_violation_is_told_at_once_in_the_order_of_the_changes() -> None:
    tree = MemoryTree({**GOOD, "a.json": b"{", "B.json": b"{}", "c.yml": b"", "d.yaml": b"- 1"})
    assert [violation.path for violation in judge(tree)] == ["a.json", "B.json", "c.yml", "d.yaml"]


@pytest.mark.parametrize(
    ("path", "data", "violation"),
    [
        (
            "a.json",
            b'{\n  "b": [1, NaN]\n}',
            Violation("a.json", "NaN or Infinity (expected: a number that JSON can write)", "/b/1", 2, 12),
        ),
        ("x/a.yaml", b"a: 1\na: 2\n", Violation("x/a.yaml", "duplicate key 'a'", "/a", 2, 1)),
        (
            ".configsvc/services/a.yaml",
            b"enabled: maybe\n",
            Violation(
                ".configsvc/services/a.yaml", "enabled: another type (expected: true or false)", "/enabled"
            ),
        ),
        (
            ".configsvc/schemas/a.json",
            b"[]",
            Violation(".configsvc/schemas/a.json", "top level: an array (expected: an object)", "", 1, 1),
        ),
        (
            ".configsvc/principals/a.yaml",
            b"x: !!python/name:os.system\n",
            Violation(
                ".configsvc/principals/a.yaml",
                "tag 'tag:yaml.org,2002:python/name:os.system' (expected: no tags)",
                "/x",
                1,
                4,
            ),
        ),
    ],
)
def test_what_does_not_parse_is_refused_with_file_line_and_column(
    path: str, data: bytes, violation: Violation
) -> None:
    assert judge_file(path, data) == [violation]


def test_every_finding_about_one_file_is_told() -> None:
    found = judge_file(".configsvc/services/a.yaml", b"a: 1\nenabled: 2\nowner: 3\n")
    assert [violation.pointer for violation in found] == ["/a", "/enabled", "/owner"]


@pytest.mark.parametrize(
    "path", ["a.json", "a.yaml", ".configsvc/schemas/a.json", ".configsvc/services/a.yaml"]
)
def test_a_file_that_is_too_large_is_refused_unread(path: str) -> None:
    tree = MemoryTree({path: b" " * 11})
    (found,) = judge_changes(tree.changes(), tree, bounds=replace(BOUNDS, max_bytes=10))
    assert found == Violation(path, "size: 11 bytes (expected: <= 10)")
    assert tree.asked == []


def test_ignored_files_are_never_read() -> None:
    tree = MemoryTree({"README.md": b"x", ".github/a.json": b"{"})
    assert judge(tree) == []
    assert tree.asked == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Nginx2.json", "expected: nginx2.json"),
        ("other.yml", "expected: other.yaml"),
        ("other.JSON", "expected: other.json"),
        ("Folder/x.json", "expected: folder/x.json"),
        ("x.json/y.md", "without the extension of a document"),
        (".gitmodules", "expected: no submodules"),
        ("a/.gitmodules", "expected: no submodules"),
        (".GitModules", "expected: no submodules"),
        ("a/.gitattributes", "none but the one in the root"),
        ("a/.GITATTRIBUTES", "none but the one in the root"),
        (".configsvc/README.md", "services/NAME.yaml"),
        (".configsvc/services/Other.yaml", "services/NAME.yaml"),
        (".configsvc/services/x.json", "services/NAME.yaml"),
        (".configsvc/schemas/x.yaml", "services/NAME.yaml"),
        (".git/hooks/pre-commit", "git's own folder"),
        ("a/git~1", "short name"),
        (".g\u200cit/config", "invisible"),
        ("aux.md", "device name"),
        ("a:b", "none of"),
        ("a\\b", "none of"),
        ("a.", "no dot or space"),
    ],
)
def test_a_file_in_the_wrong_place_is_refused(path: str, message: str) -> None:
    (found,) = judge_file(path)
    assert message in found.message
    assert found.path.encode()


def test_a_path_that_is_not_utf8_is_refused_and_can_be_told() -> None:
    (found,) = judge_file("caf\udce9.md")
    assert found == Violation(
        "caf\\xe9.md", "name: caf\\xe9.md (expected: UTF-8 without control or invisible characters)"
    )


@pytest.mark.parametrize(
    "data", [b"", ATTRIBUTES + b"\n", ATTRIBUTES.replace(b"\n", b""), b"* filter=x text eol=lf "]
)
def test_the_attributes_of_the_repository_stay_as_shipped(data: bytes) -> None:
    (found,) = judge_file(".gitattributes", data)
    assert "as `init` made it" in found.message
    assert judge_file(".gitattributes", ATTRIBUTES) == []


def test_the_attributes_of_the_repository_are_not_removed() -> None:
    tree = MemoryTree({})
    (found,) = judge_changes([PathChange(".gitattributes", None, None)], tree, bounds=BOUNDS)
    assert found.path == ".gitattributes"


@pytest.mark.parametrize(
    ("path", "mode", "message"),
    [
        ("a.json", 0o120000, "mode: 120000, a symbolic link"),
        ("README", 0o120000, "mode: 120000, a symbolic link"),
        ("vendor", 0o160000, "mode: 160000, a submodule"),
        ("README", 0o100666, "mode: 100666 (expected: 100644 or 100755)"),
        ("README", 0o100664, "mode: 100664"),
        ("README", 0, "mode: 000000"),
        ("a.json", 0o100755, "mode: 100755 (expected: 100644)"),
        (".gitattributes", 0o100755, "mode: 100755 (expected: 100644)"),
        (".configsvc/services/a.yaml", 0o100755, "mode: 100755 (expected: 100644)"),
        (".configsvc/schemas/a.json", 0o120000, "mode: 120000, a symbolic link"),
    ],
)
def test_other_modes_are_refused_unread(path: str, mode: int, message: str) -> None:
    tree = MemoryTree({path: b"../../etc/passwd"}, {path: mode})
    (found,) = judge(tree)
    assert message in found.message
    assert tree.asked == []


@pytest.mark.parametrize("changed", [("nginx.json",), ("nginx.yaml",), ("nginx.json", "nginx.yaml")])
def test_two_files_for_one_service_are_refused_once(changed: tuple[str, ...]) -> None:
    tree = MemoryTree({"nginx.json": b"{}", "nginx.yaml": b"{}"})
    (found,) = judge(tree, *changed)
    assert "expected: one file for one service" in found.message


def test_a_service_may_change_its_format() -> None:
    tree = MemoryTree({"nginx.yaml": b"{}"})
    changes = [PathChange("nginx.json", None, None), *tree.changes()]
    assert judge_changes(changes, tree, bounds=BOUNDS) == []


@pytest.mark.parametrize(
    ("paths", "changed"),
    [
        (["README.md", "readme.md"], "readme.md"),
        (["README.md", "readme.md"], "README.md"),
        (["docs/x", "Docs/y"], "docs/x"),
        (["a/docs/x", "a/Docs"], "a/docs/x"),
        (["caf\u00e9", "cafe\u0301"], "caf\u00e9"),
        (["x/y/z/a", "X/b"], "x/y/z/a"),
        (["nginx.json", "Nginx.JSON/x.md"], "nginx.json"),
    ],
)
def test_paths_that_differ_only_by_case_are_refused(paths: list[str], changed: str) -> None:
    (found,) = judge(MemoryTree(dict.fromkeys(paths, b"{}")), changed)
    assert "one name where case does not count" in found.message


def test_names_of_one_case_in_different_folders_are_allowed() -> None:
    assert judge(MemoryTree(dict.fromkeys(["a/README", "b/readme", "readme"], b""))) == []


def test_one_collision_is_told_once() -> None:
    tree = MemoryTree(dict.fromkeys(["docs/a", "docs/b", "Docs/c", "DOCS/d"], b""))
    (found,) = judge(tree)
    assert "DOCS, Docs, docs" in found.message


def test_a_file_where_a_folder_is_is_refused() -> None:
    tree = MemoryTree({"a": b"", "a/b.json": b"{}"})
    assert judge(tree, "a/b.json") == [Violation("a/b.json", "place: a is a file (expected: a folder)")]


def test_a_folder_where_a_file_is_is_refused() -> None:
    class BothTree(MemoryTree):
        def mode(self, path: str) -> int | None:
            return 0o040000 if path == "a" else super().mode(path)

    tree = BothTree({"a": b"", "a/b.json": b"{}"})
    assert judge(tree, "a") == [Violation("a", "place: a folder is there too (expected: one of them)")]


def test_a_bad_file_can_be_removed() -> None:
    tree = MemoryTree(GOOD)
    removed = ["Nginx.json", ".gitmodules", "caf\udce9", ".configsvc/x", "nginx.json"]
    changes = [PathChange(path, None, None) for path in removed]
    assert judge_changes(changes, tree, bounds=BOUNDS) == []


def test_what_did_not_change_is_not_judged() -> None:
    tree = MemoryTree({**GOOD, "old.yml": b"", "Bad Name.json": b"{"})
    assert judge(tree, "nginx.json", "README.md") == []


def test_a_large_repository_is_judged_in_linear_time() -> None:
    files = {f"{folder}/s{number}.json": b"{}" for folder in "abcdefghij" for number in range(100)}
    tree = MemoryTree(files)
    asked: list[str] = []

    class CountingTree(MemoryTree):
        def names(self, folder: str) -> frozenset[str]:
            asked.append(folder)
            return frozenset(MemoryTree.names(self, folder))

        def mode(self, path: str) -> int | None:
            return 0o040000 if path in "abcdefghij" else (0o100644 if path in self.files else None)

    assert judge_changes(tree.changes(), CountingTree(files), bounds=BOUNDS) == []
    assert sorted(asked) == ["", *"abcdefghij"]
