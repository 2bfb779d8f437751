"""The client for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, overload

from configsvc.client import calls, principals
from configsvc.client.calls import Call
from configsvc.client.endpoints import Endpoints
from configsvc.client.exchange import Came, Exchange, Send, Step
from configsvc.client.failures import NoAnswer
from configsvc.client.forking import renew_after_fork
from configsvc.client.live.options import LiveOptions
from configsvc.client.retrying import Retries
from configsvc.client.transport import Timeouts, Transport

if TYPE_CHECKING:
    from configsvc.client.live.config import LiveConfig
    from configsvc.client.live.configs import LiveConfigs

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(make: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    """Return a method that makes a call and runs it; its parameters are those of `make`."""

    @wraps(make)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(make(*args, **kwargs))

    return method


class Client:
    """Calls a configsvc server.  May be shared by threads.

    Args:
        base_url: Where the server is, such as `http://localhost:5000`, or several such, best first.
        token: The principal's; None for an open server. Whatever the base URLs, it goes to them alone.
        transport: In place of httpx; closed together with the client.
        live: How its live configs follow the server.

    Raises:
        ValueError: A base URL or the token cannot be one.

    In a forked process it goes on with connections, and a thread for its live configs, of its own.
    """

    def __init__(
        self,
        base_url: str | Sequence[str],
        *,
        token: str | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        transport: Transport | None = None,
        live: LiveOptions | None = None,
    ) -> None:
        urls = [base_url] if isinstance(base_url, str) else base_url
        self._exchange = Exchange(Endpoints(urls), retries or Retries(), token)
        self._transport = transport or _default_transport(timeouts or Timeouts())
        self._live_options = live or LiveOptions()
        self._live: LiveConfigs | None = None
        self._lock = threading.Lock()  # guards the first use of the field above
        renew_after_fork(self)

    server_info = _blocking(calls.server_info)
    list_configs = _blocking(calls.list_configs)
    get = _blocking(calls.get)
    get_text = _blocking(calls.get_text)
    put = _blocking(calls.put)
    patch = _blocking(calls.patch)
    delete = _blocking(calls.delete)
    rollback = _blocking(calls.rollback)
    history = _blocking(calls.history)
    get_version = _blocking(calls.get_version)
    diff = _blocking(calls.diff)
    diff_operations = _blocking(calls.diff_operations)
    get_meta = _blocking(calls.get_meta)
    patch_meta = _blocking(calls.patch_meta)
    list_commits = _blocking(calls.list_commits)
    get_commit = _blocking(calls.get_commit)
    commit = _blocking(calls.commit)
    validate = _blocking(calls.validate)
    report_rejection = _blocking(calls.report_rejection)
    list_schemas = _blocking(calls.list_schemas)
    get_schema = _blocking(calls.get_schema)
    put_schema = _blocking(calls.put_schema)
    delete_schema = _blocking(calls.delete_schema)
    list_principals = _blocking(principals.list_principals)
    get_principal = _blocking(principals.get_principal)
    create_principal = _blocking(principals.create_principal)
    rotate_token = _blocking(principals.rotate_token)
    delete_principal = _blocking(principals.delete_principal)
    revoke_token = _blocking(principals.revoke_token)

    @overload
    def config(
        self, service: str, *, default: Mapping[str, Any] | None = None
    ) -> LiveConfig[Mapping[str, Any]]: ...
    @overload
    def config(self, service: str, *, bind: type[T], default: T | None = None) -> LiveConfig[T]: ...
    @overload
    def config(
        self, service: str, *, bind: Callable[[Mapping[str, Any]], T], default: T | None = None
    ) -> LiveConfig[T]: ...
    def config(
        self, service: str, *, bind: Callable[..., Any] | None = None, default: Any = None
    ) -> LiveConfig[Any]:
        """Return a config that follows the server from now on.

        Its first value is the server's; else the last good copy on this disk; else `default`; else there
        is none until the server answers (`wait_ready`). All configs of a client are followed by one thread
        over one connection.

        Args:
            bind: Type of the value: a dataclass, a TypedDict, a pydantic model, or a function from the
                document that raises what it does not like. A version that does not fit is not adopted.
                None: the document as it is, not to be changed.
            default: The value while there is no other.

        Raises:
            NameInvalid: `service` is no name of a service.
            TypeError: `bind` is no type that a document can have.
            ClientClosed: The client was closed before.
        """
        self._exchange.check_open()
        return self._lives().make(service, bind, default)

    @property
    def min_revision(self) -> int:
        """Revision of this client's last write; it reads no older state any more."""
        return self._exchange.min_revision

    def run(self, call: Call[T]) -> T:
        """Return the result of a call.

        Raises:
            ConfigError: See `configsvc.client.failures`.
        """
        return self._run_with(call)

    def _run_with(self, call: Call[T], retries: Retries | None = None) -> T:
        steps = self._exchange.run(call, retries)
        came: Came = None
        try:
            while True:
                came = self._take(steps.send(came))
        except StopIteration as end:
            result: T = end.value
            return result

    def close(self) -> None:
        """Close the connections; any call after that raises ClientClosed, live configs stay as they are."""
        self._exchange.close()  # first, so that no live config is made any more
        with self._lock:
            live = self._live
        if live is not None:
            live.close()
        self._transport.close()

    def renew(self) -> None:
        """Begin anew in a forked process; called by itself there."""
        self._exchange.renew()
        self._transport.renew()
        self._lock = threading.Lock()
        if self._live is not None:
            self._live.renew()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lives(self) -> LiveConfigs:
        with self._lock:
            if self._live is None:
                # Who has no live config need not wait until all that is loaded.
                from configsvc.client.live.configs import LiveConfigs

                self._live = LiveConfigs(self._exchange, self._transport, self._live_options, self._run_with)
            return self._live

    def _take(self, step: Step) -> Came:
        if not isinstance(step, Send):
            time.sleep(step.seconds)
            return None
        try:
            return self._transport.send(step.base_url, step.request)
        except NoAnswer as error:
            return error


def _default_transport(timeouts: Timeouts) -> Transport:
    # Loading httpx takes longer than all the rest; who brings a transport need not wait for it.
    from configsvc.client.httpx_transport import HttpxTransport

    return HttpxTransport(timeouts)
