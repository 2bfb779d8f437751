"""`configsvc edit`: a document in the editor, asked for again until the gate takes it."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from configsvc.cli.handling import handled, heeded
from configsvc.cli.options import message_option, output_option, read_text, targeted
from configsvc.cli.target.protocol import Format, Target
from configsvc.cli.terminal.output import printable
from configsvc.cli.terminal.told import tell
from configsvc.client import DocumentText, DryRun, Written
from configsvc.core.errors import (
    ConfigError,
    DocumentInvalid,
    PreconditionFailed,
    RequestInvalid,
    SchemaViolated,
    ServiceNotFound,
)
from configsvc.core.names import parse_service

MARK = "# configsvc: "
"""How the lines begin that are shown above a text and never saved."""
MAX_SHOWN = 40
"""Most lines of findings, or of a difference, that are shown."""


@click.command("edit")
@click.argument("service")
@click.option(
    "--format",
    "text_format",
    type=click.Choice(("json", "yaml")),
    default="yaml",
    show_default=True,
    help="Of a service that does not exist yet.",
)
@message_option
@output_option
@targeted
def command(target: Target, service: str, text_format: Format, message: str | None, output: str) -> None:
    """Edit the document of SERVICE in $VISUAL or $EDITOR; a service that does not exist is created.

    What the gate finds is shown above the text, and the editor opens again until the text is taken; so it
    does when somebody else was faster, with what they changed: to replace that, change the text or remove
    the lines about it.  Leaving the file as it is ends it.  A text that is not saved stays in a file, whose
    name is told.

    \b
    Example:
      configsvc edit payments/api -m "Raise the timeout"
    """
    session = _Session(target, parse_service(service), text_format, message)
    try:
        result = session.run()
    except BaseException:
        if session.is_worth_keeping:
            click.echo(f"configsvc: the text is kept in {session.path}", err=True)
        else:
            session.discard()
        raise
    session.discard()
    if result is None:
        click.echo("nothing to change")
    else:
        tell(result, output)


@dataclass(frozen=True, slots=True)
class _Note:
    """What is shown above the text; a line of it that is named moves down by what is above it."""

    text: str
    line: int = 0
    column: int = 0

    def shown(self, above: int) -> str:
        place = f"line {self.line + above}, column {self.column}: " if self.line else ""
        return f"{MARK}{place}{self.text}\n"


class _Session:
    """One document being edited, in a file that only its user can read."""

    def __init__(self, target: Target, service: str, text_format: Format, message: str | None) -> None:
        self._target = target
        self._service = service
        self._message = message
        self._found = self._read()
        self._format: Format = text_format
        if self._found is not None:
            self._format = "json" if self._found.format == "json" else "yaml"
        self._folder = Path(tempfile.mkdtemp(prefix="configsvc-"))
        self.path = self._folder / f"{service.replace('/', '-')}.{self._format}"
        self._shown = ""
        self._is_refused = False
        self._is_overtaken = False

    @property
    def is_worth_keeping(self) -> bool:
        """Whether there is a text in the file that is nowhere else."""
        if not self.path.exists():
            return False
        return self._is_refused or self._is_touched()

    def run(self) -> Written | DryRun | None:
        """Return what came of it; None when nothing was changed.

        Raises:
            RequestInvalid: The last text was not taken, and left as it was.
            ConfigError: It could not be saved, for a reason that no other text would change.
        """
        text = "" if self._found is None else self._found.text
        notes, problem = self._first_notes(text), ""
        while True:
            before, text = text, self._edited(notes, text)
            # Who removes what is told of another's change has seen it, and wants the text as it is.
            if text == before and not (self._is_overtaken and self._is_touched()):
                if not problem:
                    return None
                raise RequestInvalid(f"edit: left as it was ({problem})")
            self._is_refused, self._is_overtaken = True, False
            try:
                return self._save(text)
            except (DocumentInvalid, SchemaViolated) as error:
                notes, problem = _findings(error), error.message
            except PreconditionFailed as error:
                notes, problem = self._overtaken(error), error.message

    def discard(self) -> None:
        """Remove the file."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> DocumentText | None:
        try:
            return self._target.get_text(self._service)
        except ServiceNotFound:
            return None

    def _first_notes(self, text: str) -> list[_Note]:
        if self._found is None:
            return [_Note(f"{self._service} does not exist yet")]
        verdict = self._target.validate(self._service, text=text, text_format=self._format)
        return [_note(each.pointer, each.message, each.line, each.column) for each in verdict.violations]

    def _edited(self, notes: Sequence[_Note], text: str) -> str:
        shown = notes[:MAX_SHOWN]
        head = "".join(note.shown(len(shown)) for note in shown)
        self._shown = head + text
        self.path.write_text(self._shown, encoding="utf-8")
        self.path.chmod(0o600)
        self._target.let_go()  # for as long as somebody thinks, no server could start
        expected = "(expected: VISUAL or EDITOR that works)"
        try:
            # The terminal tells the editor of Ctrl-C too, and to it that may be a key as any other.
            with handled(heeded((signal.SIGINT, signal.SIGQUIT)), _pass_over):
                click.edit(filename=str(self.path))
        except click.ClickException as error:
            raise RequestInvalid(f"editor: {error.format_message()} {expected}") from error
        except ValueError as error:  # quotes that do not close
            raise RequestInvalid(f"editor: {error} {expected}") from error
        lines = read_text(str(self.path)).splitlines(keepends=True)
        while lines and lines[0].startswith(MARK.rstrip()):
            del lines[0]
        return "".join(lines)

    def _is_touched(self) -> bool:
        return self.path.read_bytes() != self._shown.encode()

    def _save(self, text: str) -> Written | DryRun:
        return self._target.put(
            self._service,
            text=text,
            text_format=self._format,
            if_match=None if self._found is None else self._found.etag,
            create_only=self._found is None,
            message=self._message,
        )

    def _overtaken(self, error: PreconditionFailed) -> list[_Note]:
        self._found, self._is_overtaken = self._read(), True
        wanted = "change the text or remove these lines to"
        if self._found is None:
            return [_Note(f"{self._service} was deleted meanwhile; {wanted} create it again")]
        notes = [_Note(f"{self._service} is at version {self._found.version} now; {wanted} replace that")]
        for detail in error.details:
            notes += [_Note(printable(line)) for line in str(detail.get("diff", "")).splitlines()]
        return notes


def _pass_over(*_: object) -> None:
    """Do nothing; what is ignored, not caught, would be so for the editor as well."""


def _note(pointer: str, message: str, line: object, column: object) -> _Note:
    text = printable(": ".join(part for part in (pointer, message) if part))
    return _Note(text, line if isinstance(line, int) else 0, column if isinstance(column, int) else 0)


def _findings(error: ConfigError) -> list[_Note]:
    notes = [
        _note(
            str(each.get("pointer") or ""),
            str(each.get("message") or ""),
            each.get("line"),
            each.get("column"),
        )
        for each in error.details
    ]
    return notes or [_Note(printable(error.message))]
