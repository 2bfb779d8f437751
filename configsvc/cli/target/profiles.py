"""Profiles: servers and repositories by name, in a file of the user's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from configsvc.core.errors import SettingInvalid

MAX_FILE_BYTES = 1 << 20
_KEYS = ("url", "repo", "token_file")


@dataclass(frozen=True, slots=True)
class Profile:
    """Where configuration is.

    Args:
        url: Of a server, or of several with commas between them.
        repo: Folder of a repository, instead of a URL.
        token_file: File with the token for `url`.
    """

    url: str | None = None
    repo: Path | None = None
    token_file: Path | None = None


def profiles_path(environ: Mapping[str, str]) -> Path | None:
    """Return where the file of profiles is, if there is one; None for a user who has no home."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    if folder.startswith("/"):
        return Path(folder) / "configsvc.toml"
    try:
        return Path.home() / ".config" / "configsvc.toml"
    except RuntimeError:  # a user id that no account has, as in containers, and no HOME
        return None


def find_profile(name: str | None, path: Path | None) -> Profile | None:
    """Return the profile `name`; without a name the one that the file's `default` names, if any.

    Raises:
        SettingInvalid: There is none of that name, or the file is wrong.
    """
    if path is None:
        if name is None:
            return None
        raise SettingInvalid(f"profile: {name!r} is not there (expected: HOME or XDG_CONFIG_HOME)")
    document = _read(path)
    if document is None:
        if name is None:
            return None
        raise SettingInvalid(f"profile: {name!r} is not there, since {path} is not (expected: that file)")
    default, profiles = document.get("default"), document.get("profiles", {})
    if not isinstance(profiles, dict) or not isinstance(default, str | None):
        raise SettingInvalid(f"{path}: default or profiles (expected: a name, and tables [profiles.NAME])")
    unknown = document.keys() - {"default", "profiles"}
    if unknown:
        raise SettingInvalid(f"{path}: {min(unknown)!r} (expected: default and profiles)")
    wanted = default if name is None else name
    if wanted is None:
        return None
    if wanted not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise SettingInvalid(f"profile: {wanted!r} is not in {path} (expected: one of {known})")
    return _profile(profiles[wanted], f"{path}: profiles.{wanted}")


def _profile(table: object, where: str) -> Profile:
    if not isinstance(table, dict) or not all(isinstance(each, str) for each in table.values()):
        raise SettingInvalid(f"{where}: (expected: a table of texts: {', '.join(_KEYS)})")
    unknown = sorted(table.keys() - set(_KEYS))
    if unknown:
        raise SettingInvalid(f"{where}: {unknown[0]!r} (expected: {', '.join(_KEYS)})")
    if ("url" in table) is ("repo" in table):
        raise SettingInvalid(f"{where}: url and repo (expected: one of them)")
    repo, token_file = (_expanded(table.get(key), f"{where}: {key}") for key in ("repo", "token_file"))
    return Profile(table.get("url"), repo, token_file)


def _expanded(text: str | None, where: str) -> Path | None:
    try:
        return None if text is None else Path(text).expanduser()
    except RuntimeError as error:
        raise SettingInvalid(f"{where}: {text!r} names no home folder (expected: one)") from error


def _read(path: Path) -> dict[str, object] | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingInvalid(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise SettingInvalid(f"{path}: has more than {MAX_FILE_BYTES} bytes (expected: a file of profiles)")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path}: is not TOML: {error}") from error
