"""How a command fails: what it says, and what it exits with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import click

from configsvc.cli.terminal.output import printable
from configsvc.core import errors

MAX_TOLD = 50
"""Most findings that are told one by one."""

EXIT_CODES: dict[type[errors.ConfigError], int] = {
    errors.ConfigError: 1,
    errors.RequestInvalid: 2,  # as click exits for a wrong option
    errors.SettingInvalid: 2,
    errors.NotFound: 3,
    errors.Conflict: 4,
    errors.PreconditionFailed: 4,
    errors.Unavailable: 5,
    errors.RepositoryUnusable: 6,
    errors.Unauthorized: 7,
    errors.Forbidden: 7,
}
"""What a command exits with; the nearest class in the table decides.  0 is success."""

MEANINGS = {
    0: "done",
    1: "failed, or found something wrong",
    2: "a wrong option, setting, name or document",
    3: "no such service or version",
    4: "the state forbids it",
    5: "not possible now, try again later",
    6: "the repository cannot be used as it is",
    7: "the principal may not do that",
}
"""What each exit code says."""

EXEC_FAILED = 125
EXEC_MEANINGS = {
    EXEC_FAILED: "`exec`: configsvc failed before the program ran",
    126: "`exec`: the program cannot be run",
    127: "`exec`: there is no such program",
}
"""What `configsvc exec` exits with besides; all other codes are the program's."""


def exit_code(error: errors.ConfigError) -> int:
    """Return what a command exits with after `error`."""
    return next(EXIT_CODES[base] for base in type(error).__mro__ if base in EXIT_CODES)


def tell_failure(error: errors.ConfigError) -> None:
    """Print why a command failed: one line, and one for each finding that it does not name itself."""
    told = list(finding_lines(error))
    lines = [printable(error.message), *(f"  {line}" for line in told[:MAX_TOLD])]
    if len(told) > MAX_TOLD:
        lines.append(f"  and {len(told) - MAX_TOLD} more")
    _say(lines)


def tell_system_failure(error: OSError) -> None:
    """Print what the system refused: to write standard output to a full disk, say."""
    where = printable(str(error.filename or "input or output"))
    _say([f"{where}: {error.strerror or type(error).__name__}"])


def _say(lines: list[str]) -> None:
    with contextlib.suppress(OSError):  # the exit code says it too
        click.echo("configsvc: " + "\n".join(lines), err=True)


def finding_lines(error: errors.ConfigError) -> Iterator[str]:
    """Yield a line for each finding in an error's details that its message lacks: place, pointer, message."""
    for detail in error.details:
        message = detail.get("message")
        service = str(detail.get("service") or "")
        if isinstance(message, str) and not (message in error.message and service in error.message):
            yield printable(": ".join(part for part in (*_places(detail), message) if part))


def _places(detail: Mapping[str, object]) -> Iterator[str]:
    line, column, path = (detail.get(name) for name in ("line", "column", "path"))
    path = path or detail.get("service")
    if line:
        yield f"{path}:{line}:{column}" if path else f"{line}:{column}"
    elif path:
        yield str(path)
    yield str(detail.get("pointer") or "")
