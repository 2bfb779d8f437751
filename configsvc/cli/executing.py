"""`configsvc exec`: run a program with its configuration."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from configsvc.cli.failing import EXEC_FAILED, tell_failure
from configsvc.cli.options import Amount, targeted
from configsvc.cli.running.feed import Feed
from configsvc.cli.running.rendering import FileFormat, Rendering
from configsvc.cli.running.supervisor import OnChange, Supervisor
from configsvc.cli.running.variables import is_name
from configsvc.cli.target.choosing import TOKEN_VARIABLE
from configsvc.cli.target.protocol import Target
from configsvc.core.errors import ConfigError

_ENDINGS: dict[str, FileFormat] = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".env": "env"}


class _OwnCodes(click.Command):
    """A command whose own failures have a code that no program has: 2, say, may be the program's."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _failing():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _failing():
            return super().invoke(ctx)


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.show()
        sys.exit(EXEC_FAILED)
    except ConfigError as error:
        tell_failure(error)
        sys.exit(EXEC_FAILED)


@click.command("exec", cls=_OwnCodes)
@click.argument("service")
@click.argument("command_", metavar="-- CMD [ARG]...", nargs=-1, type=click.UNPROCESSED, required=True)
@click.option(
    "--prefix",
    default="CONFIG_",
    show_default=True,
    metavar="TEXT",
    help="Stands before each variable's name.",
)
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="FILE", help="Write a file, instead of variables."
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(("json", "yaml", "env")),
    help="Of FILE; else by its ending, else as it is stored.",
)
@click.option(
    "--on-change",
    default="restart",
    show_default=True,
    metavar="[restart|none|SIGNAL]",
    help="What is done at another version; HUP, say, once FILE is written.",
)
@click.option(
    "--stop-signal",
    default="TERM",
    show_default=True,
    metavar="SIGNAL",
    help="Asks CMD to end, for a restart.",
)
@click.option(
    "--grace",
    type=Amount(0, 3600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Then CMD is killed; one that outlived INT or QUIT gets changes again.",
)
@click.option("--pass-token", is_flag=True, help="CMD gets CONFIGSVC_TOKEN too, if it is set.")
@targeted
def command(
    target: Target,
    service: str,
    command_: tuple[str, ...],
    prefix: str,
    file: Path | None,
    file_format: FileFormat | None,
    on_change: str,
    stop_signal: str,
    grace: float,
    pass_token: bool,
) -> None:
    """Run CMD with the configuration of SERVICE in its environment, or in FILE, and keep it up with changes.

    limits: {cpu: 1} is CONFIG_LIMITS_CPU=1: keys in capitals, with _ between them and for what is none of A-Z
    0-9 _.  Text is as it is; numbers, true and false are as in JSON; null is empty; a list is JSON on one
    line.  With --prefix "" whoever may write SERVICE chooses any variable of CMD, PATH too.
    CONFIGSVC_EXEC_SERVICE and CONFIGSVC_EXEC_VERSION tell what it is, CONFIGSVC_EXEC_FILE where.  CMD has all
    other variables of this, but for CONFIGSVC_TOKEN: it needs no token to be given its configuration.

    FILE is replaced as a whole, mode 0600, and stays.  A version that cannot be given (two keys that come to
    one variable, more than a variable may hold) is told and not taken; so is a deletion, and a server that is
    away.  Signals go on to CMD, and when it ends, so does this: with its exit code, or 128 and the number of
    the signal that ended it.  125 says that configsvc failed before CMD ran, 126 that CMD cannot be run, 127
    that there is none.

    \b
    Example:
      configsvc exec payments/api -- sh -c 'echo "$CONFIG_LIMITS_CPU"'
      configsvc exec --file api.json --on-change HUP payments/api -- cat api.json
    """
    rendering = Rendering(service, prefix, file, file_format or (_ENDINGS.get(file.suffix) if file else None))
    if prefix and not is_name(prefix):
        raise click.BadParameter(
            f"{prefix[:40]!a} (expected: A-Z, 0-9 and _, and no digit first)", param_hint="--prefix"
        )
    if file is not None and not file.name:
        raise click.BadParameter(f"{str(file)!r} (expected: a file's path)", param_hint="--file")
    action = _action(on_change)
    if isinstance(action, signal.Signals) and file is None:
        raise click.BadParameter("a signal changes no variable (expected: --file)", param_hint="--on-change")
    if file_format is not None and file is None:
        raise click.BadParameter("is of no file (expected: --file)", param_hint="--format")
    supervisor = Supervisor(
        command_,
        rendering,
        on_change=action,
        stop_signal=_signal(stop_signal, "--stop-signal"),
        grace_s=grace,
        withheld=() if pass_token else (TOKEN_VARIABLE,),
    )
    logging.basicConfig(format="configsvc: %(message)s", level=logging.WARNING)
    given = rendering.read(target)
    feed = Feed(target, rendering, given.revision, supervisor.tell)
    if action != "none":
        feed.start()
    code = supervisor.run(given)
    feed.close()
    sys.exit(code)


def _action(text: str) -> OnChange:
    if text == "restart":
        return "restart"
    return "none" if text == "none" else _signal(text, "--on-change")


def _signal(text: str, option: str) -> signal.Signals:
    try:
        return signal.Signals[f"SIG{text.upper().removeprefix('SIG')}"]
    except KeyError:
        raise click.BadParameter(
            f"{text[:40]!r} is no signal (expected: a name such as HUP)", param_hint=option
        ) from None
