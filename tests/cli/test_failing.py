"""What goes wrong is one line and the right exit code, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configsvc.app import create_app
from configsvc.assembly import open_door, open_instance
from configsvc.cli import main
from configsvc.cli.failing import tell_failure
from configsvc.core.errors import ConfigError
from configsvc.settings import Settings
from tests.cli.conftest import Called
from tests.edge.running import running
from tests.end_to_end.serving import ROOT

pytestmark = pytest.mark.slow

WITHOUT = """
import sys
for name in {missing!r}:
    sys.modules[name] = None
sys.argv = ["configsvc", *{arguments!r}]
from configsvc.cli.entry import main
main()
"""
OF_THE_SERVER = ("flask", "werkzeug", "git", "gitdb", "yaml", "ruamel", "jsonschema", "uvicorn", "uvloop")


def run_without(missing: tuple[str, ...], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `configsvc` where some libraries are not installed."""
    code = WITHOUT.format(missing=missing, arguments=[str(each) for each in arguments])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert "Traceback" not in done.stderr
    return done


def test_a_server_that_is_not_there_is_told_and_may_be_tried_again(call: Called) -> None:
    assert call("get", "a", "--url", "http://127.0.0.1:1") == 5
    assert call.err.count("\n") == 1
    assert "127.0.0.1:1: ConnectError, " in call.err
    assert "Connection refused" in call.err


def test_a_target_that_is_missing_is_told(call: Called) -> None:
    assert call("get", "a") == 2
    assert "--url or CONFIGSVC_URL" in call.err


def test_a_folder_that_is_no_repository_is_told(call: Called, tmp_path: Path) -> None:
    assert call("get", "a", "--repo", tmp_path) == 6
    assert "configsvc init" in call.err


def test_a_write_beside_a_server_is_told_to_go_through_it(call: Called, tmp_path: Path) -> None:
    with open_instance(Settings(repo=tmp_path / "repo")):
        assert call("put", "a", "--repo", tmp_path / "repo", stdin="{}") == 6
    assert "is held by process" in call.err
    assert "name it with --url" in call.err


@pytest.mark.slow
def test_who_may_not_do_it_is_told_so_and_a_token_in_a_file_lets_in(call: Called, tmp_path: Path) -> None:
    settings = Settings(repo=tmp_path / "repo")
    with open_instance(settings) as instance, open_door(instance):
        for name, role in (("ann", "admin"), ("rob", "reader")):
            assert call("token", "create", name, "--role", role, "--path", "**", "--repo", settings.repo) == 0
            (tmp_path / name).touch(0o600)
            (tmp_path / name).write_text(call.out.splitlines()[-1])
        with running(create_app(instance.service, settings, access=instance.access), settings) as port:
            url = ("--url", f"http://127.0.0.1:{port}")
            assert call("put", "a", *url, stdin="{}") == 7
            assert call("put", "a", *url, "--token-file", tmp_path / "ann", stdin="{}") == 0
            assert call("get", "a", *url, "--token-file", tmp_path / "rob") == 0
            assert call("put", "a", *url, "--token-file", tmp_path / "rob", stdin="{}") == 7
            assert "rob may not change it" in call.err
            (tmp_path / "rob").chmod(0o644)
            assert call("get", "a", *url, "--token-file", tmp_path / "rob") == 2
            assert "chmod 600" in call.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "--prefix", "\udc80"),
        ("get", "a", "--at", "\udc80"),
        ("get", "a", "--pointer", "/" + "x" * 5000),
        ("delete", "a", "-m", "\udc80"),
        ("delete", "a", "--if-match", "\udc80"),
        ("delete", "a", "--if-match", "\n"),
        ("put", "a", "--if-match", "no-quotes"),
        ("patch", "a", '{"a": "\udc80"}'),
        ("patch", "a", "--set", "/a=\udc80"),
        ("export", "out", "--prefix", "x" * 5000),
        ("watch", "--prefix", "\udc80"),
        ("get", "\udc80"),
        ("token", "create", "\udc80", "--role", "admin", "--path", "**"),
        ("token", "create", "a", "--role", "admin", "--path", "\udc80"),
        ("token", "create", "a", "--role", "admin", "--path", "**", "--description", "\udc80"),
        ("token", "rotate", "\udc80"),
        ("token", "revoke", "a", "--token", "\udc80"),
    ],
)
def test_text_that_cannot_be_sent_is_told(call: Called, arguments: tuple[str, ...]) -> None:
    assert call(*arguments, "--url", "http://127.0.0.1:1") == 2
    told = ("UTF-8", "expected: <= 4096", "not a service name", "entity tag: ")
    assert any(each in call.err for each in told)


def test_a_mistake_of_ours_is_one_line(call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(main.group, "main", fail)
    assert call("get") == 1
    assert call.err == "configsvc: KeyError: 'lost' (our mistake; CONFIGSVC_TRACEBACK=1 shows where)\n"


@pytest.mark.thorough
@pytest.mark.slow
def test_commands_for_servers_need_nothing_of_the_server(tmp_path: Path) -> None:
    settings = Settings(repo=tmp_path / "repo")
    with (
        open_instance(settings) as instance,
        running(create_app(instance.service, settings), settings) as port,
    ):
        url = ("--url", f"http://127.0.0.1:{port}")
        (tmp_path / "a.yaml").write_text("n: 1\n")
        assert run_without(OF_THE_SERVER, "put", "a", tmp_path / "a.yaml", *url).returncode == 0
        assert run_without(OF_THE_SERVER, "get", "a", "--output", "yaml", *url).stdout.startswith(
            "service: a\n"
        )
        assert run_without(OF_THE_SERVER, "export", tmp_path / "out", *url).returncode == 0
        done = run_without(OF_THE_SERVER, "exec", "a", *url, "--", "sh", "-c", "exit $CONFIG_N")
        assert done.returncode == 1
    done = run_without(OF_THE_SERVER, "get", "a", "--repo", settings.repo)
    assert (done.returncode, "configsvc[server]" in done.stderr) == (2, True)
    done = run_without(OF_THE_SERVER, "serve")
    assert (done.returncode, "configsvc[server]" in done.stderr) == (2, True)


def test_without_its_library_the_program_says_what_to_install() -> None:
    done = run_without(("click",), "get", "a")
    assert done.returncode == 1
    assert done.stderr == "configsvc: click is not installed (expected: `pip install 'configsvc[cli]'`)\n"


SECRET = "pass-word"


@pytest.mark.parametrize(
    "url",
    [
        f"http://u:{SECRET}@h:badport",
        f"u:{SECRET}@h",
        f"http://h/?token={SECRET}",
        f"http://h/#{SECRET}",
        "http://a\tb",
        "http://a b",
        "http://a\\b",
        "http://xn--/",
        "http://ü..x/",
        "http://h:0",
        ",",
    ],
)
def test_a_url_that_is_none_is_told_without_what_may_be_secret(call: Called, url: str) -> None:
    assert call("get", "a", "--url", url) == 2
    assert call.err.startswith("configsvc: url: ")
    assert SECRET not in call.err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HTTP_PROXY", f"http://u:{SECRET}@h:badport"),
        ("HTTP_PROXY", f"nonsense://u:{SECRET}@h"),
        ("SSL_CERT_FILE", "/nowhere"),
        ("SSL_CERT_FILE", __file__),
    ],
)
def test_what_the_environment_says_wrong_of_the_network_is_told(
    call: Called, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    assert call("get", "a", "--url", "http://127.0.0.1:1") == 2
    assert name in call.err
    assert SECRET not in call.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"), [(("get", "--output", "json"), 1), (("export", "-"), 2), (("--help",), 1)]
)
def test_output_that_cannot_be_written_is_told(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    done = run_to("/dev/full", tmp_path, *arguments)
    assert done.returncode == code
    assert done.stderr.startswith("configsvc: ")
    assert "No space left on device" in done.stderr
    assert "our mistake" not in done.stderr


def run_to(out: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with open_instance(Settings(repo=folder / "repo")):
        pass
    with open(out, "w") as stream:
        return subprocess.run(
            [sys.executable, "-m", "configsvc.cli", *arguments],
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            cwd=ROOT,
            env=os.environ | {"CONFIGSVC_REPO": str(folder / "repo")},
        )


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_process_without_its_streams_writes_to_nothing_else(tmp_path: Path, closed: str) -> None:
    with open_instance(Settings(repo=tmp_path / "repo")):
        pass
    (tmp_path / "a.yaml").write_text("n: 1\n")
    program = f'"{sys.executable}" -m configsvc.cli "$@" {closed}'
    for arguments in (("put", "a", tmp_path / "a.yaml"), ("export", "-"), ("log",)):
        done = subprocess.run(
            ["sh", "-c", program, "sh", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env=os.environ | {"CONFIGSVC_REPO": str(tmp_path / "repo")},
        )
        assert done.returncode == 0, done.stderr
    assert call_git(tmp_path / "repo", "show", "HEAD:a.yaml") == "n: 1\n"


def call_git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True
    ).stdout


def test_a_message_controls_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell_failure(ConfigError("a\x1b]0;title\x07b"))
    assert capsys.readouterr().err == "configsvc: a?]0;title?b\n"


def test_a_token_file_that_is_a_pipe_is_not_waited_for(call: Called, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    assert call("get", "a", "--url", "http://127.0.0.1:1", "--token-file", tmp_path / "token") == 2
    assert "is no file" in call.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("patch", "a", '{"a": 1e999}'),
        ("patch", "a", "--set", "/a=1e999"),
        ("patch", "a", "--set", '/a="\\ud800"'),
        ("patch", "a", "@"),
        ("put", "a", ""),
        ("import", ""),
        ("token", "create", "a", "--role", "admin", "--path", "**", "--expires", "nan"),
        ("token", "rotate", "a", "--overlap", "nan"),
    ],
)
def test_what_is_no_number_or_path_or_text_is_refused_before_anything_is_asked(
    call: Called, arguments: tuple[str, ...]
) -> None:
    assert call(*arguments, "--url", "http://127.0.0.1:1") == 2
    assert "expected: " in call.err
