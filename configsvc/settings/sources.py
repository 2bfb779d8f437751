"""Settings from flags, environment and file, in this order of precedence."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from configsvc.core.errors import SettingInvalid
from configsvc.settings.model import RULES, Settings

PREFIX = "CONFIGSVC_"
FILE_VARIABLE = PREFIX + "CONFIG"
MAX_FILE_BYTES = 1 << 20

# What the command line and programs that it runs read.
_OF_COMMANDS = frozenset(PREFIX + name for name in ("URL", "TOKEN", "TOKEN_FILE", "PROFILE"))
_OF_EXEC = PREFIX + "EXEC_"
# Kubernetes sets these in every pod beside a Service that is called `configsvc`.
_LINKS = (PREFIX + "SERVICE_", PREFIX + "PORT")


def load_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], *, file: Path | None = None
) -> Settings:
    """Return the settings that the three sources state together.

    Args:
        flags: Setting to its text, as given on the command line.
        environ: The environment; a variable set to nothing is not there.
        file: TOML file; None for the one `CONFIGSVC_CONFIG` names, if any.

    Raises:
        SettingInvalid: A value is wrong, the file cannot be read or has a key
            that is no setting; the message names value and source.
    """
    named = environ.get(FILE_VARIABLE)
    path = file if file is not None else Path(named) if named else None
    values: dict[str, Any] = {}
    if path is not None:
        values |= _parse_all(_read_file(path), lambda name: f"{name} in {path}")
    values |= _parse_all(dict(_variables(environ)), lambda name: PREFIX + name.upper())
    values |= _parse_all(flags, lambda name: "--" + name.replace("_", "-"))
    return Settings(**values)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none, sorted.

    They are no error, since other programs of this name read the same
    environment; but a misspelt one should be told.
    """
    known = {FILE_VARIABLE, *_OF_COMMANDS, *(PREFIX + name.upper() for name in RULES)}
    ours = (name for name in environ if name.startswith(PREFIX) and not name.startswith((*_LINKS, _OF_EXEC)))
    return sorted(set(ours) - known)


def _parse_all(raws: Mapping[str, object], source: Callable[[str], str]) -> dict[str, object]:
    return {name: _parse(name, raw, source(name)) for name, raw in raws.items()}


def _parse(name: str, raw: object, source: str) -> object:
    if name not in RULES:
        raise SettingInvalid(f"{source}: is not a setting (expected one of: {', '.join(RULES)})")
    try:
        return RULES[name].parse(raw)
    except ValueError as error:
        raise SettingInvalid(f"{source}: {str(raw)[:100]!r} (expected: {error})") from None


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in RULES:
        text = environ.get(PREFIX + name.upper())
        if text:
            yield name, text


def _read_file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingInvalid(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise SettingInvalid(f"{path}: has more than {MAX_FILE_BYTES} bytes (expected: a settings file)")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path}: is not TOML: {error}") from error
