"""`configsvc serve`: the composition root, where the parts of the server meet."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from configsvc import __version__
from configsvc.access.decide import Access
from configsvc.access.firstadmin import make_first_admin
from configsvc.access.rates import RateLimits
from configsvc.api.access_log import REQUEST_ID
from configsvc.api.metrics import ROUTE
from configsvc.app import create_app, unlogged
from configsvc.assembly import Instance, open_door, open_instance
from configsvc.audit import LOCAL, Act, note
from configsvc.cli.handling import handled
from configsvc.cli.listening import is_reachable, listening_socket
from configsvc.cli.logs import set_up_audit_log, set_up_logging
from configsvc.core.changes import COMMITTER
from configsvc.core.errors import SettingInvalid
from configsvc.core.tracing import UNTRACED
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.server import Server, make_server
from configsvc.edge.watches import make_watches
from configsvc.gitdoor.pushers import Pushers
from configsvc.gitdoor.receiving import push_answers
from configsvc.gitdoor.smart import is_git_path
from configsvc.metrics.metrics import Metrics
from configsvc.metrics.store import store_reading
from configsvc.service import ConfigService
from configsvc.service.survey import Survey
from configsvc.settings import RULES, Address, Settings, load_settings, unknown_variables
from configsvc.store.floors import check_floors
from configsvc.store.repository import own_folder

if TYPE_CHECKING:
    from configsvc.tracing.otel import OtelTracer

_log = logging.getLogger("configsvc.serve")

GC_THRESHOLDS = (10_000, 20, 50)
"""Of `gc.set_threshold`.  A collection of all objects holds every thread up, for a fifth of a second with
ten thousand connections, and finds next to nothing: what requests leave is freed with its last reference."""
NOT_AT_START = ("configsvc.validation.quick", "configsvc.documents.metaedit")
"""What is imported once the server is ready: with its libraries it would be an eighth of a start."""
SWITCH_INTERVAL_S = 0.001
"""How long a thread that computes may hold up the others.  Python's own 5 ms shows in p99; with less than
1 ms, threads that wait for each other take a fifth of the writes."""


def setting_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each setting, and `--config`."""
    for rule in reversed(RULES.values()):
        kind: dict[str, Any] = {}
        if rule.name == "open":
            kind = {"is_flag": True, "flag_value": "true", "type": str}
        elif rule.name in ("host_name", "trusted_proxy"):
            kind = {"multiple": True}
        flag = "--" + rule.name.replace("_", "-")
        if rule.name == "wire":
            flag = "--wire/--no-wire"
        function = click.option(flag, rule.name, default=None, help=rule.help, **kind)(function)
    return click.option("--config", type=Path, help="TOML file with settings.")(function)


@click.command("serve")
@setting_options
def command(config: Path | None, **flags: object) -> None:
    """Serve a repository over HTTP.

    Each setting is also a variable (CONFIGSVC_REPO for --repo) and a key of the settings file
    (max_depth for --max-depth).  Flags win over variables, variables over the file.

    \b
    Example:
      configsvc serve --repo configs --listen 127.0.0.1:5000
    """
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    settings = load_settings(given, os.environ, file=config)
    set_up_logging(settings.log_format, settings.log_level)
    if settings.audit_log is not None:
        set_up_audit_log(settings.audit_log)
    for name in unknown_variables(os.environ):
        _log.warning("%s: is not a setting of the server, ignored", name)
    serve(settings)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered, then the store is closed.

    Raises:
        SettingInvalid: The address cannot or must not be listened on.
        RepositoryUnusable: The repository cannot be opened as it is, or a library is older than is safe.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    check_floors()
    pushers, metrics = Pushers(), Metrics()
    # The address first: it costs nothing to find it taken before the repository is opened.
    with (
        _uncollected(),
        listening_socket(settings) as listener,
        _traced(settings) as tracer,
        open_instance(settings, on_batch=metrics.note_batch, tracer=tracer or UNTRACED) as instance,
        open_door(instance, more=push_answers(instance.store.pushes, pushers, instance.access)),
        Survey(instance.gate, instance.store.snapshot) as survey,
    ):
        service = instance.service
        _close_if_reachable(instance, settings, listener)
        rates = _rates(instance.access, settings)
        metrics.add(store_reading(instance.store))
        app = create_app(
            service,
            settings,
            survey=survey,
            pushers=pushers,
            access=instance.access,
            rates=rates,
            metrics=metrics,
        )
        hot = HotAnswerer(unlogged(app), instance.access, service, settings.hot_cache_bytes)
        server = make_server(
            app if tracer is None else tracer.wsgi(app, route_key=ROUTE, id_key=REQUEST_ID),
            settings,
            hot=hot if settings.hot_cache_bytes else None,
            is_streamed=is_git_path,
            answerers=make_watches(service, instance.access, settings, metrics),
            rates=rates,
            metrics=metrics,
            turns=service.turns,
            access=instance.access,
            revision=lambda: service.snapshot().revision,
            on_stop=service.drain,
            on_ready=lambda: _tell_ready(settings, service, listener),
        )
        with _stopping_on_signal(server), contextlib.closing(hot):
            server.run(sockets=[listener])


@contextlib.contextmanager
def _traced(settings: Settings) -> Iterator[OtelTracer | None]:
    """Yield what traces go to, None where none are asked for; the last ones are sent in the end.

    Raises:
        SettingInvalid: They are asked for, and the libraries are not there.
    """
    if not settings.traces:
        yield None
        return
    try:
        from configsvc.tracing.otel import exporting_tracer
    except ImportError as error:
        raise SettingInvalid(
            f"traces: {error.name} is not installed (expected: pip install 'configsvc[otel]')"
        ) from error
    with contextlib.closing(exporting_tracer()) as tracer:
        yield tracer


def _rates(access: Access, settings: Settings) -> RateLimits | None:
    """Return what counts requests; None where nothing is limited and no proxy is known."""
    if not (settings.rate_per_address or settings.rate_per_principal or settings.trusted_proxy):
        return None
    return RateLimits(
        access,
        per_address=settings.rate_per_address,
        per_principal=settings.rate_per_principal,
        burst_s=settings.rate_burst_s,
        proxies=settings.trusted_proxy,
    )


def _close_if_reachable(instance: Instance, settings: Settings, listener: socket.socket) -> None:
    """Make the first admin where others would reach a server that has no principals."""
    is_wanted = is_reachable(listener) or settings.admin_token_file is not None
    if settings.open or not is_wanted or not instance.access.is_open:
        return
    folder = own_folder(instance.store.git_dir)
    path = make_first_admin(instance.store, folder, token_file=settings.admin_token_file)
    note(
        Act(LOCAL, str(COMMITTER), "principals.create", "admin", revision=instance.store.snapshot().revision)
    )
    click.echo(f"configsvc: made the principal admin; its token is in {path}", err=True)


@contextlib.contextmanager
def _stopping_on_signal(server: Server) -> Iterator[None]:
    """Stop `server` on SIGTERM and SIGINT.

    While it runs, uvicorn has handlers of its own; when it has ended, it raises again what they
    caught.  These are there before, and for that.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    with handled((signal.SIGTERM, signal.SIGINT), stop):
        yield


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage until the server is ready: what a start makes stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _tell_ready(settings: Settings, service: ConfigService, listener: socket.socket) -> None:
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()
    host, port = listener.getsockname()[:2]
    scheme = "http" if settings.tls_certificate is None else "https"
    place = f"{settings.repo.absolute()} at {scheme}://{Address(host, port)}"
    click.echo(f"configsvc {__version__} serving {place} (revision {service.snapshot().revision})")
    threading.Thread(target=_finish_start, name="configsvc-start", daemon=True).start()


def _finish_start() -> None:
    """Do what a start does not wait for: import the rest, so that no request has to, and collect garbage."""
    for name in NOT_AT_START:
        try:
            import_module(name)
        except (ImportError, OSError) as error:
            _log.warning("%s: not imported yet: %s", name, error)
    # A full collection waits until there is a quarter more than the last one left; and none need
    # look at what is there now.
    gc.collect()
    gc.freeze()
