"""Tokens from files that nobody else can read."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from configsvc.core.errors import SettingInvalid

MAX_BYTES = 4096
_OTHERS = 0o077
_STRANGERS = 0o037  # a mounted secret is root's, and the group's to read
_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}", re.ASCII)


def read_token_file(path: Path) -> str:
    """Return the token in a file of one line.

    Raises:
        SettingInvalid: It cannot be read, others could read or change it, or it holds no token; the
            message never shows what is in it.
    """
    try:
        # A pipe is not waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            _check(path, os.fstat(stream.fileno()))
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingInvalid(f"token file: {path} cannot be read: {error.strerror}") from error
    return check_token(data.decode("ascii", "replace").strip(), f"token file: {path}")


def check_token(text: str, source: str) -> str:
    """Return `text` when a token may look like this.

    Args:
        source: What the message names instead of the token.

    Raises:
        SettingInvalid: It cannot be one.
    """
    if not _TOKEN.fullmatch(text):
        raise SettingInvalid(
            f"{source}: holds no token (expected: one line of 1 to 1000 printable characters)"
        )
    return text


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SettingInvalid(f"token file: {path} is no file (expected: one)")
    if found.st_uid not in (0, os.geteuid()):
        raise SettingInvalid(f"token file: {path} is user {found.st_uid}'s (expected: yours, or root's)")
    refused = _OTHERS if found.st_uid == os.geteuid() else _STRANGERS
    mode = stat.S_IMODE(found.st_mode)
    if mode & refused:
        raise SettingInvalid(f"token file: {path} has mode {mode:04o} (expected: 0600; `chmod 600` sets it)")
