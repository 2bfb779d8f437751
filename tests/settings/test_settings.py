from __future__ import annotations

from pathlib import Path

import pytest

from configsvc.core.errors import SettingInvalid
from configsvc.settings import RULES, Address, Settings, is_host, load_settings, unknown_variables


def test_without_any_source_the_defaults_hold() -> None:
    assert load_settings({}, {}) == Settings()
    assert str(Settings().listen) == "127.0.0.1:5000"


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('repo = "file"\nschemas = "file"\nlog_level = "debug"\n')
    environ = {"CONFIGSVC_REPO": "variable", "CONFIGSVC_SCHEMAS": "variable"}
    settings = load_settings({"repo": "flag"}, environ, file=file)
    assert (settings.repo, settings.schemas) == (Path("flag"), Path("variable"))
    assert (settings.log_level, settings.log_format) == ("debug", "text")


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("max_depth = 5\n")
    assert load_settings({}, {"CONFIGSVC_CONFIG": str(file)}).max_depth == 5


def test_a_variable_set_to_nothing_is_not_there() -> None:
    assert load_settings({}, {"CONFIGSVC_REPO": "", "CONFIGSVC_CONFIG": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("repo", "/srv/configs", Path("/srv/configs")),
        ("listen", "localhost:80", Address("localhost", 80)),
        ("listen", "[::1]:0", Address("::1", 0)),
        ("host_name", "A.example, b.example.", ("a.example", "b.example")),
        ("host_name", ["a", "[::1]"], ("a", "[::1]")),
        ("host_name", ("a", "b"), ("a", "b")),
        ("open", True, True),
        ("open", "TRUE", True),
        ("open", "0", False),
        ("log_format", "JSON", "json"),
        ("max_depth", 64, 64),
        ("max_depth", "64", 64),
        ("body_timeout_s", 1, 1.0),
        ("body_timeout_s", "0.5", 0.5),
    ],
)
def test_a_setting_is_read_from_text_and_from_toml(name: str, raw: object, value: object) -> None:
    assert getattr(load_settings({name: raw}, {}), name) == value


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("repo", ""),
        ("repo", "a\0b"),
        ("repo", 5),
        ("listen", "5000"),
        ("listen", "localhost"),
        ("listen", "localhost:65536"),
        ("listen", "localhost:-1"),
        ("listen", "::1:80"),
        ("listen", "http://localhost:80"),
        ("listen", 80),
        ("host_name", "a:80"),
        ("host_name", "http://a"),
        ("host_name", 5),
        ("open", "maybe"),
        ("open", 1),
        ("log_format", "xml"),
        ("log_level", "all"),
        ("max_depth", 0),
        ("max_depth", 201),
        ("max_depth", True),
        ("max_depth", "1e1"),
        ("max_depth", 1.5),
        ("threads", "\u0663"),
        ("body_timeout_s", 0),
        ("body_timeout_s", "nan"),
        ("body_timeout_s", "inf"),
        ("body_timeout_s", True),
        ("body_timeout_s", "soon"),
    ],
)
def test_a_wrong_value_is_refused_with_its_source(name: str, raw: object) -> None:
    with pytest.raises(SettingInvalid, match=rf"^--{name.replace('_', '-')}: .*\(expected: "):
        load_settings({name: raw}, {})


def test_a_wrong_variable_is_refused_by_its_name() -> None:
    with pytest.raises(
        SettingInvalid, match=r"^CONFIGSVC_MAX_DEPTH: 'deep' \(expected: an integer from 1 to 200\)"
    ):
        load_settings({}, {"CONFIGSVC_MAX_DEPTH": "deep"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_deepness = 5", r"^max_deepness in .*settings\.toml: is not a setting"),
        ("max_depth = 'deep'", r"^max_depth in .*settings\.toml: 'deep' \(expected"),
        ("max_depth =", r"settings\.toml: is not TOML"),
        ("\xff", r"settings\.toml: is not TOML"),
        ("#" * (1 << 20) + "#", r"settings\.toml: has more than"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingInvalid, match=message):
        load_settings({}, {}, file=file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="cannot be read: No such file"):
        load_settings({}, {}, file=tmp_path / "none.toml")


def test_a_variable_that_is_no_setting_is_ignored_but_can_be_told() -> None:
    links = {"CONFIGSVC_PORT": "tcp://10.0.0.1:80", "CONFIGSVC_SERVICE_HOST": "10.0.0.1"}
    links |= {"CONFIGSVC_URL": "http://x", "CONFIGSVC_TOKEN_FILE": "t", "CONFIGSVC_EXEC_VERSION": "3"}
    environ = {"CONFIGSVC_REPOSITORY": "x", "CONFIGSVC_LOG_LEVEL": "info", "CONFIGSVC_CONFIG": "", **links}
    assert load_settings({}, environ) == Settings()
    assert unknown_variables(environ) == ["CONFIGSVC_REPOSITORY"]


def test_every_setting_can_be_written_down_and_read_again() -> None:
    for name, rule in RULES.items():
        default = getattr(Settings(), name)
        if default is None:
            continue  # not there, which is written as nothing
        assert rule.parse(default if isinstance(default, tuple | bool) else str(default)) == default


def test_the_bounds_of_documents_are_settings() -> None:
    settings = load_settings({"max_document_bytes": "10", "max_nodes": "7"}, {})
    assert (settings.bounds.max_bytes, settings.bounds.max_nodes) == (10, 7)


@pytest.mark.parametrize(
    ("settings", "host", "is_allowed"),
    [
        (Settings(), "localhost", True),
        (Settings(), "127.0.0.1", True),
        (Settings(), "[::1]", True),
        (Settings(), "evil.example", False),
        (Settings(host_name=("mine.example",)), "mine.example", True),
        (Settings(host_name=("mine.example",)), "evil.example", False),
        (Settings(listen=Address("127.0.0.2", 80)), "127.0.0.2", True),
        (Settings(open=True), "evil.example", True),
        (Settings(open=True, host_name=("mine.example",)), "evil.example", False),
        (Settings(open=True, host_name=("mine.example",), listen=Address("::", 80)), "[::]", True),
    ],
)
def test_a_host_is_allowed_when_the_server_is_known_by_it(
    settings: Settings, host: str, is_allowed: bool
) -> None:
    allowed = settings.allowed_hosts(is_closed=False)
    assert (allowed is None or host in allowed) is is_allowed


def test_a_server_that_asks_for_a_credential_answers_to_any_name_until_it_is_told_its_own() -> None:
    assert Settings().allowed_hosts(is_closed=True) is None
    named = Settings(host_name=("mine.example",)).allowed_hosts(is_closed=True)
    assert named is not None
    assert "mine.example" in named
    assert "evil.example" not in named


@pytest.mark.parametrize(
    "text", ["", "-a", "a-", "a b", "a/b", "[::1", "[1.2.3.4]", "[::g]", "\u212a", "a:80", "A"]
)
def test_what_is_no_host_is_told_from_one(text: str) -> None:
    assert not is_host(text)
