"""What a program is given: variables, or a file."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configsvc.cli.running.variables import as_file, variables
from configsvc.cli.target.protocol import Target
from configsvc.core.errors import DocumentInvalid, RequestInvalid

FileFormat = Literal["json", "yaml", "env"]


@dataclass(frozen=True, slots=True)
class Given:
    """One version of a service as a program gets it.

    Args:
        variables: What is added to its environment.
        text: What the file holds; None without a file.
    """

    version: int
    revision: int
    variables: Mapping[str, str]
    text: str | None


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a program is given its configuration.

    Args:
        prefix: Of the names of variables.
        file: Where it is written; None: it goes into the environment.
        file_format: Of the file; None: as the document is stored.
    """

    service: str
    prefix: str
    file: Path | None = None
    file_format: FileFormat | None = None

    def read(self, target: Target, version: int | None = None) -> Given:
        """Return the newest version, or the one that is named.

        Raises:
            ConfigError: There is none, or it cannot be given.
        """
        if self.file is not None and self.file_format != "env":
            found = target.get_text(self.service, version=version, format=self.file_format)
            return Given(found.version, found.revision, self._about(found.version), found.text)
        document = target.get(self.service, version=version)
        if document is None or not isinstance(document.value, dict):
            raise DocumentInvalid(f"{self.service}: is no mapping (expected: one)")
        made, about = variables(document.value, self.prefix), self._about(document.version)
        if self.file is None:
            return Given(document.version, document.revision, made | about, None)
        return Given(document.version, document.revision, about, as_file(made))

    def place(self, given: Given) -> None:
        """Write the file, if there is one: whole or not at all, for its user alone.

        Raises:
            RequestInvalid: It cannot be written.
        """
        if self.file is None or given.text is None:
            return
        temporary = self.file.with_name(f".{self.file.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as stream:
                stream.write(given.text.encode())
            temporary.replace(self.file)
        except OSError as error:
            raise RequestInvalid(f"--file: {self.file} cannot be written: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _about(self, version: int) -> dict[str, str]:
        about = {"CONFIGSVC_EXEC_SERVICE": self.service, "CONFIGSVC_EXEC_VERSION": str(version)}
        return about if self.file is None else about | {"CONFIGSVC_EXEC_FILE": str(self.file.absolute())}
