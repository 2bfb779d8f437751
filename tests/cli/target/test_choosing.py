"""Which target is meant: options, variables, profiles, and tokens in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from configsvc.assembly import open_instance
from configsvc.cli.target.choosing import Where, open_target
from configsvc.cli.target.tokens import read_token_file
from configsvc.cli.target.url import UrlTarget
from configsvc.client import Request
from configsvc.core.errors import RepositoryLocked, SettingInvalid
from configsvc.settings import Settings

A, B = "http://a:5000", "https://b.example"
pytestmark = pytest.mark.slow

PROFILES = """
default = "usual"
[profiles.usual]
url = "http://usual"
[profiles.disk]
repo = "/srv/configs"
[profiles.secret]
url = "http://secret"
token_file = "{token}"
"""


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("cfg_of-the-file\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def environ(tmp_path: Path, token_file: Path) -> dict[str, str]:
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "configsvc.toml").write_text(PROFILES.format(token=token_file))
    return {"XDG_CONFIG_HOME": str(folder)}


def place(where: Where, environ: Mapping[str, str], **options: bool) -> str:
    target = open_target(where, environ, **options)
    target.close()
    return target.place


@pytest.mark.parametrize(
    ("where", "variables", "expected"),
    [
        (Where(), {}, "http://usual"),
        (Where(url=A), {"CONFIGSVC_URL": B}, A),
        (Where(), {"CONFIGSVC_URL": f"{B}, {A}", "CONFIGSVC_REPO": "/x"}, B),
        (Where(), {"CONFIGSVC_REPO": "/x"}, "/x"),
        (Where(repo="/y"), {"CONFIGSVC_URL": B}, "/y"),
        (Where(profile="disk"), {"CONFIGSVC_URL": B}, "/srv/configs"),
        (Where(), {"CONFIGSVC_PROFILE": "secret", "CONFIGSVC_REPO": "/x"}, "http://secret"),
        (Where(), {"CONFIGSVC_PROFILE": "disk", "CONFIGSVC_URL": B}, B),
    ],
)
def test_an_option_wins_over_variables_and_they_over_the_default_profile(
    environ: dict[str, str], where: Where, variables: dict[str, str], expected: str
) -> None:
    assert place(where, environ | variables) == expected


def test_a_profile_is_sent_no_token_but_its_own(environ: dict[str, str]) -> None:
    def credential(where: Where) -> str | None:
        target = open_target(where, environ | {"CONFIGSVC_TOKEN": "of-the-variable"})
        assert isinstance(target, UrlTarget)
        sent = target._exchange.dressed(Request("GET", "/")).headers.get("Authorization")
        target.close()
        return sent

    assert credential(Where(url=A)) == "Bearer of-the-variable"
    assert credential(Where(profile="usual")) is None
    assert credential(Where()) is None
    assert credential(Where(profile="secret")) == "Bearer cfg_of-the-file"


def test_where_nothing_is_named_it_is_told_how_to(tmp_path: Path) -> None:
    nothing = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(SettingInvalid, match=r"--url .* --repo .* profile"):
        open_target(Where(), nothing)
    assert place(Where(), nothing, or_default=True).endswith("/config-repo")


@pytest.mark.parametrize(
    ("where", "variables", "told"),
    [
        (Where(url=A, repo="/x"), {}, "--url: is given with --repo"),
        (Where(profile="none"), {}, "'none' is not in"),
        (Where(url="ftp://a"), {}, "expected: http://HOST"),
        (Where(url="http://"), {}, "expected: http://HOST"),
        (Where(url="http://a:b"), {}, "expected: http://HOST"),
        (Where(url="http://me:hidden@a"), {}, "has a name or password in it"),
        (Where(url=A), {"CONFIGSVC_TOKEN": "two words"}, "CONFIGSVC_TOKEN: holds no token"),
        (Where(url=A), {"CONFIGSVC_TOKEN": "t", "CONFIGSVC_TOKEN_FILE": "/t"}, "expected: one of them"),
        (Where(repo="/x", token_file=Path("/t")), {}, "--token-file: is given for a repository"),
        (Where(url=A, token_file=Path("/nowhere/token")), {}, "cannot be read"),
    ],
)
def test_what_is_named_wrongly_is_told_without_its_secrets(
    environ: dict[str, str], where: Where, variables: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingInvalid, match=told) as caught:
        open_target(where, environ | variables)
    assert "hidden" not in caught.value.message
    assert "two words" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "profiles = 3",
        "default = 3",
        "x = 1",
        "default = 'none'",
        "[profiles.usual]\nurl = 3",
        "[profiles.usual]\nx = 'y'",
        "default = 'usual'\n[profiles.usual]\n",
        "default = 'usual'\n[profiles.usual]\nurl = 'a'\nrepo = 'b'",
    ],
)
def test_a_file_of_profiles_that_is_wrong_is_told_with_its_name(environ: dict[str, str], text: str) -> None:
    path = Path(environ["XDG_CONFIG_HOME"]) / "configsvc.toml"
    path.write_text(text)
    with pytest.raises(SettingInvalid, match=r"configsvc\.toml"):
        open_target(Where(profile="usual"), environ)


def test_a_token_in_a_file_is_read(token_file: Path) -> None:
    assert read_token_file(token_file) == "cfg_of-the-file"
    token_file.chmod(0o400)
    assert read_token_file(token_file) == "cfg_of-the-file"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o666])
def test_a_token_that_others_can_read_or_change_is_refused(token_file: Path, mode: int) -> None:
    token_file.chmod(mode)
    with pytest.raises(SettingInvalid, match=f"mode {mode:04o} .*chmod 600") as caught:
        read_token_file(token_file)
    assert "cfg_" not in caught.value.message


@pytest.mark.parametrize("data", [b"", b"\n", b"two words", b"a\nb", b"\xff", b"x" * 2000])
def test_a_file_without_a_token_is_told_without_its_content(token_file: Path, data: bytes) -> None:
    token_file.write_bytes(data)
    with pytest.raises(SettingInvalid, match="holds no token"):
        read_token_file(token_file)


def test_a_repository_that_a_server_holds_is_read_and_not_written(tmp_path: Path) -> None:
    settings = Settings(repo=tmp_path / "repo")
    with open_instance(settings):
        target = open_target(Where(repo=str(settings.repo)), {})
        try:
            assert list(target.list_all()) == []
            target.put("a", text="{}", text_format="json", dry_run=True)
            with pytest.raises(RepositoryLocked, match="--url"):
                target.put("a", text="{}", text_format="json")
        finally:
            target.close()


def test_a_user_without_a_home_has_no_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", refuse)
    assert place(Where(url=A), {}) == A
    with pytest.raises(SettingInvalid, match="none is named"):
        place(Where(), {})
    with pytest.raises(SettingInvalid, match="expected: HOME or XDG_CONFIG_HOME"):
        place(Where(profile="usual"), {})


@pytest.mark.parametrize("line", ['url = "http://h"\ntoken_file = "~none-such/t"', 'repo = "~none-such/r"'])
def test_a_home_that_is_nobodys_is_told(environ: dict[str, str], line: str) -> None:
    Path(environ["XDG_CONFIG_HOME"], "configsvc.toml").write_text(f"[profiles.x]\n{line}\n")
    with pytest.raises(SettingInvalid, match="names no home folder"):
        place(Where(profile="x"), environ)
