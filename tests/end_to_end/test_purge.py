"""The recipe of docs/purge.md, run as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.recipes import blocks, run_shell
from tests.end_to_end.serving import QUIET, ROOT, serving
from tests.store.gitrepo import assert_sound, git

SECRET = "p4ss/word & more"

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def test_a_purged_secret_is_in_no_object_and_every_version_keeps_its_number(tmp_path: Path) -> None:
    repo = tmp_path / "config-repo"
    documents = [{"n": n, "password": SECRET if n in (1, 2) else "none"} for n in range(4)]
    with serving(repo, *QUIET) as server:
        for number, document in enumerate(documents):
            assert server.ask("PUT", "/api/v1/configs/payments/api", document).status < 300
            assert server.ask("PUT", "/api/v1/configs/other", {"n": number}).status < 300
        revision = server.ask("GET", "/api/v1/commits?limit=1").json()
    script = f"export FILE=payments/api.json SECRET='{SECRET}'\n" + "".join(
        blocks(ROOT / "docs" / "purge.md", "sh").values()
    )
    result = run_shell(script, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    everything = git(repo, "cat-file", "--batch-all-objects", "--batch", "--buffer")
    assert SECRET not in everything
    assert_sound(repo)
    with serving(repo, *QUIET) as server:
        for number in range(4):
            told = server.ask("GET", f"/api/v1/configs/payments/api?version={number}").json()
            assert isinstance(told, dict)
            assert told["n"] == number
            assert told["password"].startswith("purged-" if number in (1, 2) else "none")
            assert server.ask("GET", f"/api/v1/configs/other?version={number}").json() == {"n": number}
        after = server.ask("GET", "/api/v1/commits?limit=1").json()
        assert isinstance(revision, dict)
        assert isinstance(after, dict)
        assert after["revision"] == revision["revision"]
        assert server.ask("PUT", "/api/v1/configs/payments/api", {"n": 4}).status == 200
