"""The store with its gate, the door, and edits taken by hand."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.assembly import Instance, open_door, open_instance
from configsvc.core.changes import Author
from configsvc.core.errors import (
    Conflict,
    DocumentInvalid,
    SchemaViolated,
    ServiceEnabled,
    StoreDiverged,
)
from configsvc.door import DoorRefused, ask_door
from configsvc.settings import Settings
from configsvc.store.gitstore import GitStore
from tests.store.gitrepo import assert_sound, commit_files, git, put

pytestmark = pytest.mark.slow

ANN = Author("Ann", "ann@example.com")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with open_instance(Settings(repo=tmp_path / "repo", schemas=tmp_path / "schemas")) as opened:
        yield opened


@pytest.fixture
def store(instance: Instance) -> GitStore:
    return instance.store


def edit(store: GitStore, path: str, text: str) -> None:
    place = store.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def commit(instance: Instance, *paths: str, overwrite: bool = False) -> tuple[int, dict[str, int]]:
    outcome = instance.commit_edits(ANN, message="By hand", paths=paths, overwrite=overwrite)
    return outcome.revision, {made.service: made.version for made in outcome.versions}


def test_edits_additions_and_deletions_land_as_one_commit_of_their_author(
    instance: Instance, store: GitStore
) -> None:
    off = b"enabled: false\n"
    put(store, {"a.json": b'{"a": 1}\n', "b.yaml": b"b: 1\n", ".configsvc/services/b.yaml": off})
    assert store.flush()
    edit(store, "a.json", '{"a":   2}\n')
    edit(store, "payments/api.yaml", "timeout_s: 3 # seconds\n")
    (store.root / "b.yaml").unlink()
    assert commit(instance) == (3, {"a": 1, "b": 1, "payments/api": 0})
    assert git(store.root, "log", "-1", "--format=%an|%s") == "Ann|By hand"
    assert not (store.root / ".configsvc").exists()
    assert git(store.root, "status", "--porcelain") == ""
    assert (store.root / "a.json").read_text() == '{"a":   2}\n'
    assert_sound(store.root)


def test_only_the_named_paths_are_taken(instance: Instance, store: GitStore) -> None:
    edit(store, "a.json", "{}\n")
    edit(store, "folder/b.json", "{}\n")
    edit(store, "folder/c.json", "{}\n")
    assert commit(instance, "folder") == (2, {"folder/b": 0, "folder/c": 0})
    assert git(store.root, "status", "--porcelain") == "?? a.json"


def test_nothing_edited_changes_nothing(instance: Instance) -> None:
    assert commit(instance) == (1, {})


def test_one_refused_edit_refuses_all_and_every_violation_is_told(
    instance: Instance, store: GitStore
) -> None:
    edit(store, "good.json", "{}\n")
    edit(store, "bad.json", '{\n  "a": \n}\n')
    edit(store, "Upper.json", "{}\n")
    (store.root / "link.json").symlink_to("/etc/passwd")
    with pytest.raises(DocumentInvalid, match=r"refuses 3 of these edits") as caught:
        commit(instance)
    assert {detail["path"] for detail in caught.value.details} == {"bad.json", "Upper.json", "link.json"}
    assert store.snapshot().revision == 1
    assert (store.root / "bad.json").read_text() == '{\n  "a": \n}\n'


def test_a_second_format_of_a_service_is_refused_unless_the_first_goes(
    instance: Instance, store: GitStore
) -> None:
    put(store, {"a.json": b"{}\n"})
    assert store.flush()
    edit(store, "a.yaml", "a: 1\n")
    with pytest.raises(DocumentInvalid, match=r"a\.yaml"):
        commit(instance)
    (store.root / "a.json").unlink()
    assert commit(instance) == (3, {"a": 1})


def test_an_edit_of_an_older_version_is_not_taken_unless_told_to(instance: Instance, store: GitStore) -> None:
    put(store, {"a.json": b'{"a": 1}\n'})
    assert store.flush()
    edit(store, "a.json", '{"mine": 1}\n')
    os.utime(store.root / "a.json", (1_000_000, 1_000_000))
    put(store, {"a.json": b'{"a": 2}\n'})
    with pytest.raises(Conflict, match="edited before version 1 of a landed"):
        commit(instance)
    assert (store.root / "a.json").read_text() == '{"mine": 1}\n'
    assert commit(instance, overwrite=True) == (4, {"a": 2})


def test_an_edit_just_before_a_version_landed_is_not_taken(instance: Instance, store: GitStore) -> None:
    put(
        store, {"a.json": b'{"a": 1}\n', "b.json": b"{}\n", ".configsvc/services/b.yaml": b"enabled: false\n"}
    )
    assert store.flush()
    before = time.time() - 0.2
    edit(store, "a.json", '{"mine": 1}\n')
    (store.root / "b.json").unlink()
    os.utime(store.root / "a.json", (before, before))
    os.utime(store.root, (before, before))
    put(store, {"a.json": b'{"a": 2}\n', "b.json": b'{"b": 1}\n'})
    with pytest.raises(Conflict, match=r"a\.json: edited before version 1.*b\.json: edited before version 1"):
        commit(instance)


def test_an_enabled_service_is_not_deleted_by_hand(instance: Instance, store: GitStore) -> None:
    put(store, {"a.json": b"{}\n"})
    assert store.flush()
    (store.root / "a.json").unlink()
    with pytest.raises(ServiceEnabled, match="'a' is enabled"):
        commit(instance)
    assert store.snapshot().revision == 2


def test_main_moved_to_what_the_gate_refuses_is_not_adopted(store: GitStore) -> None:
    put(store, {"a.json": b"{}\n"})
    assert store.flush()
    commit_files(store.root, {"b.json": "{not json"}, "Bad")
    with pytest.raises(StoreDiverged, match=r"b\.json:1:2"):
        put(store, {"c.json": b"{}\n"})
    assert list(store.snapshot().services()) == ["a"]


def test_a_bad_step_in_the_middle_of_a_move_is_refused_though_its_end_is_good(store: GitStore) -> None:
    commit_files(store.root, {"b.json": "{not json"}, "Bad")
    commit_files(store.root, {"b.json": "{}"}, "Good again")
    with pytest.raises(StoreDiverged, match=r"b\.json"):
        put(store, {"c.json": b"{}\n"})


def test_the_door_takes_a_commit_for_the_user_who_asks(instance: Instance, store: GitStore) -> None:
    with open_door(instance):
        edit(store, "a.json", "{}\n")
        answer = ask_door(store.git_dir, {"do": "commit", "message": "Through the door\n\nWhy"})
    assert answer is not None
    assert answer["revision"] == 2
    assert git(store.root, "log", "-1", "--format=%s|%ae").startswith("Through the door|")


def test_the_door_passes_a_refusal_on(instance: Instance, store: GitStore) -> None:
    edit(store, "a.json", "{")
    with open_door(instance), pytest.raises(DoorRefused, match=r"a\.json:1") as caught:
        ask_door(store.git_dir, {"do": "commit"})
    assert caught.value.refused_code == "document-invalid"


@pytest.mark.parametrize(
    "request_",
    [
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"do": "dance"}\n',
        b'{"do": "commit", "paths": 1}\n',
        b"\xff\n",
        b"[" * 5000 + b"\n",
    ],
)
def test_the_door_answers_nonsense_in_words(instance: Instance, store: GitStore, request_: bytes) -> None:
    with open_door(instance), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(store.git_dir / "configsvc/door.sock"))
        client.sendall(request_)
        with client.makefile() as lines:
            assert json.loads(lines.readline())["error"] == "request-invalid"


def test_the_door_is_for_its_owner_only_and_goes_with_it(instance: Instance, store: GitStore) -> None:
    path = store.git_dir / "configsvc/door.sock"
    with open_door(instance):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    assert ask_door(store.git_dir, {"do": "commit"}) is None


def test_a_door_in_a_very_deep_folder_works(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 50] * 4)
    with open_instance(Settings(repo=deep)) as instance, open_door(instance):
        store = instance.store
        answer = ask_door(store.git_dir, {"do": "commit"})
    assert answer is not None
    assert answer["changed"] is False


def test_edits_by_hand_are_held_to_schemas_and_may_change_them(instance: Instance) -> None:
    edit(instance.store, ".configsvc/schemas/a.json", '{"properties": {"n": {"type": "integer"}}}\n')
    edit(instance.store, "a.yaml", "# ours\nn: x\n")
    with pytest.raises(SchemaViolated, match=r"a\.yaml:2:4: /n: ") as caught:
        commit(instance)
    assert [detail["path"] for detail in caught.value.details] == ["a.yaml"]
    edit(instance.store, "a.yaml", "# ours\nn: 1\n")
    assert commit(instance) == (2, {"a": 0})


@pytest.mark.parametrize(("text", "is_adopted"), [('{"n": 1}\n', True), ('{"n": "x"}\n', False)])
def test_a_move_of_main_is_held_to_the_schemas_at_each_step(
    instance: Instance, store: GitStore, text: str, is_adopted: bool
) -> None:
    put(store, {".configsvc/schemas/a.json": b'{"properties": {"n": {"type": "integer"}}}\n'})
    assert store.flush()
    commit_files(store.root, {"a.json": text})
    if is_adopted:
        assert put(store, {"b.json": b"{}\n"}).revision == 4
        assert instance.service.find_entry(store.snapshot(), "a").version == 0
    else:
        with pytest.raises(StoreDiverged, match=r"a\.json:1:7: /n: "):
            put(store, {"b.json": b"{}\n"})
        assert store.snapshot().revision == 2
