"""The first admin, made where a server is to be reached by others and nobody administers it yet."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from configsvc.access.administration import PrincipalBook, land_on
from configsvc.access.credentials import MIN_TOKEN_CHARS, is_token, make_token, token_hash
from configsvc.core.changes import COMMITTER
from configsvc.core.errors import SettingInvalid, WriteFailed
from configsvc.core.patterns import EVERYTHING, parse_pattern
from configsvc.core.principals import Principal, Role, Token
from configsvc.store.base import ConfigStore

NAME = "admin"
FILE_NAME = "admin-token"
MAX_FILE_BYTES = 4096


def make_first_admin(store: ConfigStore, folder: Path, *, token_file: Path | None) -> Path:
    """Make the principal `admin`; return the file that has its token.

    Args:
        store: One without principals.
        folder: This machine's own, where the token is written for none but its user.
        token_file: Has the token that the operator chose; None to make one.

    Raises:
        SettingInvalid: `token_file` cannot be read or holds no token.
        WriteFailed: The token could not be written; nothing was committed.
    """
    if token_file is None:
        path, token = folder / FILE_NAME, make_token()
        # Before the commit: an admin whose token nobody has would close the service for good.
        _write_secret(path, token)
    else:
        path, token = token_file, _read_token(token_file)
    principal = Principal(
        NAME,
        ((parse_pattern(EVERYTHING), Role.ADMIN),),
        (Token(token_hash(token)),),
        "made at the first start; has the role admin on everything",
    )
    PrincipalBook(land_on(store, COMMITTER)).create(principal)
    return path


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES)
    except OSError as error:
        raise SettingInvalid(f"admin token file: {path} cannot be read: {error.strerror}") from error
    token = data.decode("utf-8", "replace").strip("\r\n")
    if not is_token(token):
        raise SettingInvalid(
            f"admin token file: {path} holds no token "
            f"(expected: a line of {MIN_TOKEN_CHARS} or more of A-Z a-z 0-9 . _ ~ + / - and = at its end)"
        )
    return token


def _write_secret(path: Path, token: str) -> None:
    try:
        # mkstemp's files are for their owner only, from the first moment.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(token + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise WriteFailed(f"{path}: cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
