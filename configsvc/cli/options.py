"""Options that many commands have, and how a command gets what it works on."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from configsvc.cli.target.choosing import Where, open_target
from configsvc.cli.target.protocol import Format, Target
from configsvc.cli.terminal.output import OUTPUTS
from configsvc.core.errors import DocumentInvalid, RequestInvalid
from configsvc.core.tags import parse_precondition

Command = TypeVar("Command", bound=Callable[..., Any])


class PlainText(click.ParamType):  # type: ignore[type-arg]  # it has none before click 8.2
    """Text that can be sent: in UTF-8, and not endless.

    Args:
        max_chars: Most characters.
    """

    name = "text"

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return `value` when it is such a text."""
        text = str(value)
        if len(text) > self._max_chars:
            self.fail(f"{len(text)} characters (expected: <= {self._max_chars})", param, ctx)
        if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
            self.fail(f"{text[:80]!a} is not UTF-8 (expected: UTF-8)", param, ctx)
        return text


class Amount(click.FloatRange):
    """A number within bounds; `nan`, which no bound holds back, is none."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return `value` when it is such a number."""
        number = float(super().convert(value, param, ctx))  # type: ignore[arg-type]
        if math.isnan(number):
            self.fail(f"{value!r} (expected: a number)", param, ctx)
        return number


TEXT = PlainText(4096)
"""What goes into the address of a request."""
DOCUMENT = PlainText(1 << 20)
"""What goes into its body."""

MAX_INPUT_BYTES = 64 << 20
"""Most that is read of one document; a server takes less."""


def targeted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what it works on, and the target itself as its first argument."""

    @target_options
    @wraps(function)
    def command(*, where: Where, **given: object) -> object:
        with opened(where) as target:
            return function(target, **given)

    return command


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what it works on, and what they say as its argument `where`."""

    @wraps(function)
    def command(
        *, url: str | None, repo: str | None, profile: str | None, token_file: Path | None, **given: object
    ) -> object:
        return function(where=Where(url, repo, profile, token_file), **given)

    options = (
        click.option("--url", metavar="URL", help="Server, or several with commas; also CONFIGSVC_URL."),
        click.option("--repo", metavar="DIR", help="Repository on this machine, instead of a server."),
        click.option("--profile", metavar="NAME", help="Profile of ~/.config/configsvc.toml."),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="File with the token for the server; also CONFIGSVC_TOKEN_FILE, or CONFIGSVC_TOKEN.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextlib.contextmanager
def opened(where: Where, *, or_default: bool = False) -> Iterator[Target]:
    """Yield what a command works on; let go of it in the end; see `open_target`."""
    target = open_target(where, os.environ, or_default=or_default)
    try:
        yield target
    finally:
        target.close()


def writing(function: Command) -> Command:
    """Give a command the options of a write: message, dry_run and output."""
    dry_run = click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
    return message_option(dry_run(output_option(function)))


def message_option(function: Command) -> Command:
    """Give a command `--message`."""
    return click.option(
        "-m", "--message", type=TEXT, metavar="TEXT", help="Why; the first line is the commit's subject."
    )(function)


def if_match_option(function: Command) -> Command:
    """Give a command `--if-match`."""
    return click.option(
        "--if-match",
        type=TEXT,
        callback=_checked_tag,
        metavar="ETAG",
        help="Only while this tag, as `get --output json` has it, is the newest.",
    )(function)


def _checked_tag(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        parse_precondition(value, None)
    return value


def output_option(function: Command) -> Command:
    """Give a command `--output`."""
    return click.option(
        "--output", type=click.Choice(OUTPUTS), default="table", show_default=True, help="How it is told."
    )(function)


def format_option(function: Command) -> Command:
    """Give a command `--format` of a text that it reads."""
    return click.option(
        "--format",
        "text_format",
        type=click.Choice(("json", "yaml")),
        help="Of the document; else by FILE's ending, else JSON where the text begins with {.",
    )(function)


def read_text(path: str) -> str:
    """Return the text of a file, or of standard input for `-`.

    Raises:
        RequestInvalid: It cannot be read.
        DocumentInvalid: It is no UTF-8, or larger than any document.
    """
    if not path:
        raise RequestInvalid("FILE: '' (expected: a path, or -)")
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise RequestInvalid(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_INPUT_BYTES:
        raise DocumentInvalid(f"{path}: has more than {MAX_INPUT_BYTES} bytes (expected: a document)")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DocumentInvalid(f"{path}: byte {error.start} is not UTF-8 (expected: UTF-8)") from error


def format_of(text_format: Format | None, path: str, text: str) -> Format:
    """Return which format a document has: as said, by the file's ending, or by its first character."""
    if text_format is not None:
        return text_format
    if path.endswith(".json"):
        return "json"
    if path.endswith(".yaml"):
        return "yaml"
    return "json" if text.lstrip().startswith("{") else "yaml"
