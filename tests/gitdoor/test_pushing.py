"""Pushes that land: by real git, over HTTP and on this machine."""

from __future__ import annotations

import json
import os
import pwd
import time
from pathlib import Path

import pytest

from configsvc.assembly import open_door, open_instance
from configsvc.core.errors import OutcomeUnknown
from configsvc.gitdoor.pushers import Pushers
from configsvc.gitdoor.receiving import push_answers
from configsvc.settings import Settings
from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.serving import QUIET, Server, serving
from tests.gitdoor.clones import FOR_MAIN, Clone, clone, repository_url
from tests.store.gitrepo import assert_sound, git, run_git

pytestmark = pytest.mark.slow

SEEN_WITHIN_S = 10.0


def create(server: Server, service: str, value: object = 1) -> None:
    assert server.ask("POST", f"/config?service={service}", {"value": value}).status == 201


def versions(server: Server, service: str) -> list[object]:
    """Return the documents of all versions of a service that has more than one."""
    found = json.loads(server.ask("GET", f"/config?service={service}").text)
    return [json.loads(found[number]) for number in sorted(found, key=int)]


def test_a_push_is_seen_at_the_api_at_once_and_an_api_write_in_the_next_pull(
    server: Server, served: Path, here: Clone
) -> None:
    create(server, "both")
    here.pull()
    pushed_id = here.commit({"both.json": '{"value": 2}\n'}, "By push")
    pushed = here.push()
    landed = time.monotonic()
    assert pushed.ok, pushed.text
    assert versions(server, "both") == [{"value": 1}, {"value": 2}]
    assert time.monotonic() - landed < SEEN_WITHIN_S
    assert pushed.remote[1] == "  both version 1"
    assert git(served, "rev-parse", "main") == pushed_id
    server.ask("PATCH", "/config?service=both", {"value": 3})
    here.pull()
    assert (here.root / "both.json").read_text() == '{\n  "value": 3\n}\n'
    assert here.git("log", "--format=%H %an %s") == git(served, "log", "--format=%H %an %s")
    wait_until_clean(served)


def test_each_first_parent_commit_of_a_push_is_a_revision(server: Server, served: Path, here: Clone) -> None:
    before = int(git(served, "rev-list", "--count", "--first-parent", "main"))
    for number in range(3):
        here.commit({"steps.json": json.dumps({"value": number})}, f"Step {number}")
    pushed = here.push("HEAD:main")
    assert pushed.ok, pushed.text
    assert pushed.remote[0].startswith(f"landed as revision {before + 3},")
    assert versions(server, "steps") == [{"value": 0}, {"value": 1}, {"value": 2}]


def test_a_push_beside_what_came_in_between_lands_as_one_merge(
    server: Server, served: Path, here: Clone
) -> None:
    here.commit({"mine.json": '{"value": 1}\n', "tool": "#!/bin/sh\n"}, "Mine: one")
    (here.root / "tool").chmod(0o755)
    tip = here.commit({"mine.json": '{"value": 2}\n'}, "Mine: two")
    create(server, "theirs")
    before = git(served, "rev-parse", "main")
    refused = here.push("HEAD:main")
    assert not refused.ok
    pushed = here.push()
    assert pushed.ok, pushed.text
    assert git(served, "rev-parse", "main^1", "main^2").split() == [before, tip]
    assert git(served, "log", "-1", "--format=%an|%cn|%s", "main").startswith("anonymous|configsvc|Land ")
    assert pushed.remote[1:] == ["  mine version 0"]
    assert server.ask("GET", "/config?service=mine").json() == {"value": 2}
    assert git(served, "ls-tree", "main", "tool").startswith("100755 ")
    here.pull()
    assert (here.root / "theirs.json").exists()
    wait_until_clean(served)


def test_a_foxtrot_lands_as_a_merge_that_renumbers_nothing(server: Server, served: Path, here: Clone) -> None:
    here.commit({"fox.json": "{}\n"}, "Mine")
    create(server, "trot")
    here.git("fetch", "-q", "origin")
    here.git("merge", "-q", "--no-edit", "origin/main")
    before = git(served, "rev-list", "--first-parent", "main").splitlines()
    assert "push to refs/for/main" in here.push("HEAD:main").text
    assert here.push().ok
    assert git(served, "rev-list", "--first-parent", "main").splitlines()[1:] == before


def test_the_same_change_on_both_sides_is_no_overlap(server: Server, here: Clone) -> None:
    create(server, "same")
    here.pull()
    here.commit({"same.json": '{\n  "value": 2\n}\n', "apart.json": "{}\n"})
    server.ask("PATCH", "/config?service=same", {"value": 2})
    pushed = here.push()
    assert pushed.ok, pushed.text
    assert pushed.remote[1:] == ["  apart version 0"]
    assert versions(server, "same") == [{"value": 1}, {"value": 2}]


def test_a_push_over_what_came_in_between_is_refused_with_the_names(server: Server, here: Clone) -> None:
    create(server, "torn/one")
    create(server, "torn/two")
    here.pull()
    here.commit({"torn/one.json": '{"value": 5}\n', "torn/two.json": '{"value": 5}\n'})
    server.ask("PATCH", "/config?service=torn/one", {"value": 6})
    pushed = here.push()
    assert not pushed.ok
    assert "torn/one.json: changed on main meanwhile too" in pushed.remote
    assert "torn/two" not in pushed.text
    here.git("pull", "-q", "--rebase", "-X", "theirs", "origin", "main")
    assert here.push().ok


def test_what_was_pushed_already_is_not_landed_again(served: Path, here: Clone) -> None:
    here.commit({"again.json": "{}\n"})
    assert here.push().ok
    before = git(served, "rev-parse", "main")
    repeated = here.push()
    assert repeated.ok, repeated.text
    assert repeated.remote[0].startswith("nothing to land")
    assert git(served, "rev-parse", "main") == before


def test_a_service_is_deleted_by_a_push_once_it_is_disabled(server: Server, here: Clone) -> None:
    meta = ".configsvc/services/gone.yaml"
    here.commit({"gone.json": "{}\n"})
    here.commit({meta: "enabled: false\n"})
    here.commit({"gone.json": None, meta: None})
    pushed = here.push()
    assert pushed.ok, pushed.text
    assert "  gone version 1 (deleted)" in pushed.remote
    assert server.ask("GET", "/config?service=gone").status == 404


def test_a_branch_is_a_proposal_that_may_be_forced_deleted_and_serves_nothing(
    server: Server, served: Path, here: Clone
) -> None:
    start = here.head
    here.commit({"idea.json": "not yet JSON"})
    assert here.push("HEAD:refs/heads/idea").ok
    assert server.ask("GET", "/config?service=idea").status == 404
    here.git("reset", "-q", "--hard", start)
    here.commit({"idea.json": "{}\n"})
    assert not here.push("HEAD:refs/heads/idea").ok
    assert here.push("--force", "HEAD:refs/heads/idea").ok
    assert here.push("HEAD:refs/for/main").ok
    assert here.push(":refs/heads/idea").ok
    assert run_git(served, "rev-parse", "--verify", "-q", "refs/heads/idea").returncode != 0
    assert server.ask("GET", "/config?service=idea").status == 200


def test_a_push_is_held_to_the_schemas_of_each_of_its_commits(server: Server, here: Clone) -> None:
    schema = '{"properties": {"timeout_s": {"type": "integer", "description": "seconds before giving up"}}}'
    here.commit({".configsvc/schemas/slow.json": schema, "slow.yaml": "name: slow\ntimeout_s: 5\n"})
    assert here.push().ok
    here.commit({"slow.yaml": "name: slow\ntimeout_s: ten\n"})
    here.commit({"slow.yaml": "name: slow\ntimeout_s: 10\n"})
    pushed = here.push()
    assert not pushed.ok
    assert pushed.remote[0].startswith("slow.yaml:2:12: /timeout_s: "), pushed.text
    assert "seconds before giving up" in pushed.remote[0]
    here.reset()
    here.commit({".configsvc/schemas/slow.json": '{"required": ["owner"]}'})
    pushed = here.push()
    assert not pushed.ok
    assert any("slow.yaml" in line and "owner" in line for line in pushed.remote), pushed.text


def test_tags_are_pushed_once(served: Path, here: Clone) -> None:
    here.git("tag", "-a", "-m", "first", "release-1")
    assert here.push("release-1", "HEAD:refs/tags/light-1").ok
    assert git(served, "rev-parse", "release-1^{commit}", "light-1").split() == [here.head] * 2


def test_a_push_on_this_machine_is_the_unix_users(server: Server, served: Path, tmp_path: Path) -> None:
    local = clone(f"file://{served}", tmp_path / "local")
    local.commit({"local.json": "{}\n"}, "Locally")
    create(server, "beside")
    pushed = local.push()
    assert pushed.ok, pushed.text
    account = pwd.getpwuid(os.getuid())
    name = account.pw_gecos.partition(",")[0] or account.pw_name
    assert git(served, "log", "-1", "--format=%an|%ae", "main") == f"{name}|{account.pw_name}@localhost"


def test_commits_made_in_the_served_tree_land_by_a_push_to_itself(server: Server, served: Path) -> None:
    blob = git(served, "hash-object", "-w", "--stdin", stdin=b"{}\n")
    listed = git(served, "ls-tree", "main")
    tree = git(served, "mktree", stdin=f"{listed}\n100644 blob {blob}\tinside.json\n".encode())
    commit = git(served, "commit-tree", "-p", "main", "-m", "Inside", tree)
    done = run_git(served, "push", ".", f"{commit}:refs/for/main")
    assert done.returncode == 0, done.stderr.decode()
    assert server.ask("GET", "/config?service=inside").status == 200
    wait_until_clean(served)


def test_without_a_server_nothing_is_taken_on_any_way(tmp_path: Path) -> None:
    with serving(tmp_path / "repo", *QUIET) as running:
        made = clone(repository_url(running), tmp_path / "clone")
        assert running.stop() == 0
    made.commit({"late.json": "{}\n"})
    for ref in (FOR_MAIN, "HEAD:main", "HEAD:refs/heads/idea"):
        pushed = made.push(ref, remote=f"file://{tmp_path / 'repo'}")
        assert not pushed.ok
        assert "no server runs on this repository" in pushed.text
    assert_sound(tmp_path / "repo")


def test_an_id_of_a_push_that_is_not_under_way_is_worth_nothing(
    served: Path, here: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIGSVC_PUSH", "made-up")
    here.commit({"forged.json": "{}\n"})
    pushed = here.push(remote=f"file://{served}")
    assert not pushed.ok
    assert "its connection is gone" in pushed.text


@pytest.mark.thorough
def test_a_history_read_afresh_has_the_versions_that_were_told(tmp_path: Path) -> None:
    with serving(tmp_path / "repo", *QUIET) as running:
        create(running, "one")
        made = clone(repository_url(running), tmp_path / "clone")
        made.commit({"two.json": '{"value": 1}\n'})
        made.commit({"two.json": '{"value": 2}\n'})
        create(running, "three")
        assert made.push().ok
        made.pull()
        made.commit({"one.json": '{"value": 2}\n', "two.json": '{"value": 3}\n'})
        assert made.push().ok
        told = [versions(running, "one"), versions(running, "two")]
        assert running.stop() == 0
    (tmp_path / "repo/.git/configsvc/versions").unlink()
    with serving(tmp_path / "repo", *QUIET) as running:
        assert [versions(running, "one"), versions(running, "two")] == told
        assert "(revision 5)" in running.ready


def test_a_push_whose_landing_is_not_known_is_not_called_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def land(update: object, pusher: object) -> None:
        raise OutcomeUnknown("disk: a sync failed (main may have moved or not: fetch, then see)")

    with open_instance(Settings(repo=tmp_path / "repo")) as instance:
        pushes = instance.store.pushes
        monkeypatch.setattr(pushes, "land", land)
        with open_door(instance, more=push_answers(pushes, Pushers(), instance.access)):
            here = clone(tmp_path / "repo", tmp_path / "clone")
            here.commit({"b.json": "{}\n"})
            pushed = here.push()
    assert not pushed.ok
    assert "fetch, then see" in pushed.text
    assert "not known to have landed" in pushed.text
    assert "refused" not in pushed.text
