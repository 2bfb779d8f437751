"""Which target a command works on: by option, variable or profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from configsvc.cli.target.profiles import Profile, find_profile, profiles_path
from configsvc.cli.target.protocol import Target
from configsvc.cli.target.tokens import check_token, read_token_file
from configsvc.cli.target.url import is_base_url, open_url
from configsvc.core.errors import SettingInvalid

TOKEN_VARIABLE = "CONFIGSVC_TOKEN"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class Where:
    """What the options of a command say; None for those that were not given."""

    url: str | None = None
    repo: str | None = None
    profile: str | None = None
    token_file: Path | None = None


def open_target(where: Where, environ: Mapping[str, str], *, or_default: bool = False) -> Target:
    """Return the target that is meant; who gets it closes it.

    An option wins over the variables, they win over the default profile.  A profile is whole: with one, the
    token is its own, so that no server is sent another one's.

    Args:
        or_default: Where nothing is named, it is the repository that `configsvc serve` would serve.

    Raises:
        SettingInvalid: Nothing is named, or what is named is wrong.
        RepositoryUnusable: The repository cannot be read.
    """
    given = [name for name in ("url", "repo", "profile") if getattr(where, name) is not None]
    if len(given) > 1:
        raise SettingInvalid(f"--{given[0]}: is given with --{given[1]} (expected: one of them)")
    if where.repo is not None:
        return _path_target(where.repo, where, environ)
    if where.url is not None:
        return _url_target(where.url, where.token_file or _named_file(environ), environ)
    if where.profile is None:
        url, repo = environ.get("CONFIGSVC_URL"), environ.get("CONFIGSVC_REPO")
        if url:
            return _url_target(url, where.token_file or _named_file(environ), environ)
        if repo and not environ.get("CONFIGSVC_PROFILE"):
            return _path_target(repo, where, environ)
    name = where.profile or environ.get("CONFIGSVC_PROFILE") or None
    profile = find_profile(name, profiles_path(environ))
    if profile is None and or_default:
        return _path_target(None, where, environ)
    if profile is None:
        raise SettingInvalid(
            "target: none is named (expected: --url or CONFIGSVC_URL for a server, --repo for a repository "
            "on this machine, or a profile)"
        )
    return _profile_target(profile, where, environ)


def _profile_target(profile: Profile, where: Where, environ: Mapping[str, str]) -> Target:
    if profile.repo is not None:
        return _path_target(str(profile.repo), where, environ)
    assert profile.url is not None
    return _url_target(profile.url, where.token_file or profile.token_file, {})


def _url_target(text: str, token_file: Path | None, environ: Mapping[str, str]) -> Target:
    token = environ.get(TOKEN_VARIABLE) or None
    read_token = None if token_file is None else partial(read_token_file, token_file)
    if read_token is not None:
        token = read_token()
    elif token is not None:
        check_token(token, TOKEN_VARIABLE)
    return open_url([_parse_url(part.strip()) for part in text.split(",")], token, read_token)


def _path_target(repo: str | None, where: Where, environ: Mapping[str, str]) -> Target:
    if where.token_file is not None:
        raise SettingInvalid("--token-file: is given for a repository (expected: with a URL)")
    try:
        from configsvc.cli.target.path import PathTarget
        from configsvc.settings import load_settings
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("configsvc"):
            raise
        raise SettingInvalid(
            f"--repo: {error.name} is not installed (expected: `pip install 'configsvc[server]'`)"
        ) from error
    return PathTarget(load_settings({} if repo is None else {"repo": repo}, environ))


def _named_file(environ: Mapping[str, str]) -> Path | None:
    path = environ.get("CONFIGSVC_TOKEN_FILE")
    if path and environ.get(TOKEN_VARIABLE):
        raise SettingInvalid("CONFIGSVC_TOKEN: is set with CONFIGSVC_TOKEN_FILE (expected: one of them)")
    return Path(path) if path else None


def _parse_url(text: str) -> str:
    expected = "(expected: http://HOST[:PORT] or https://HOST[:PORT])"
    # None of it is shown: wherever these stand, what is beside them may be secret.
    if "@" in text:
        raise SettingInvalid("url: has a name or password in it (expected: a token, by CONFIGSVC_TOKEN_FILE)")
    if "?" in text or "#" in text:
        raise SettingInvalid(f"url: has a query or a fragment {expected}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SettingInvalid(f"url: {text[:80]!a} {expected}") from None
    if parts.scheme not in ("http", "https") or not host or port == 0 or not is_base_url(text):
        raise SettingInvalid(f"url: {text[:80]!a} {expected}")
    return text
