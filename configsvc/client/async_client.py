"""The client for coroutines: the same calls, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, overload

from configsvc.client import calls, principals
from configsvc.client.calls import Call
from configsvc.client.endpoints import Endpoints
from configsvc.client.exchange import Came, Exchange, Send, Step
from configsvc.client.failures import NoAnswer
from configsvc.client.live.async_config import AsyncLiveConfig
from configsvc.client.live.async_configs import AsyncLiveConfigs
from configsvc.client.live.options import LiveOptions
from configsvc.client.retrying import Retries
from configsvc.client.transport import AsyncTransport, Timeouts

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(make: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    """Return a method that makes a call and awaits it; its parameters are those of `make`."""

    @wraps(make)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(make(*args, **kwargs))

    return method


class AsyncClient:
    """Calls a configsvc server from one event loop.

    Args:
        base_url: Where the server is, such as `http://localhost:5000`, or several such, best first.
        token: The principal's; None for an open server. Whatever the base URLs, it goes to them alone.
        transport: In place of httpx; closed together with the client.
        live: How its live configs follow the server.

    Raises:
        ValueError: A base URL or the token cannot be one.
    """

    def __init__(
        self,
        base_url: str | Sequence[str],
        *,
        token: str | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        transport: AsyncTransport | None = None,
        live: LiveOptions | None = None,
    ) -> None:
        urls = [base_url] if isinstance(base_url, str) else base_url
        self._exchange = Exchange(Endpoints(urls), retries or Retries(), token)
        self._transport = transport or _default_transport(timeouts or Timeouts())
        self._live = AsyncLiveConfigs(self._exchange, self._transport, live or LiveOptions(), self._run_with)

    server_info = _awaited(calls.server_info)
    list_configs = _awaited(calls.list_configs)
    get = _awaited(calls.get)
    get_text = _awaited(calls.get_text)
    put = _awaited(calls.put)
    patch = _awaited(calls.patch)
    delete = _awaited(calls.delete)
    rollback = _awaited(calls.rollback)
    history = _awaited(calls.history)
    get_version = _awaited(calls.get_version)
    diff = _awaited(calls.diff)
    diff_operations = _awaited(calls.diff_operations)
    get_meta = _awaited(calls.get_meta)
    patch_meta = _awaited(calls.patch_meta)
    list_commits = _awaited(calls.list_commits)
    get_commit = _awaited(calls.get_commit)
    commit = _awaited(calls.commit)
    validate = _awaited(calls.validate)
    report_rejection = _awaited(calls.report_rejection)
    list_schemas = _awaited(calls.list_schemas)
    get_schema = _awaited(calls.get_schema)
    put_schema = _awaited(calls.put_schema)
    delete_schema = _awaited(calls.delete_schema)
    list_principals = _awaited(principals.list_principals)
    get_principal = _awaited(principals.get_principal)
    create_principal = _awaited(principals.create_principal)
    rotate_token = _awaited(principals.rotate_token)
    delete_principal = _awaited(principals.delete_principal)
    revoke_token = _awaited(principals.revoke_token)

    @overload
    async def config(
        self, service: str, *, default: Mapping[str, Any] | None = None
    ) -> AsyncLiveConfig[Mapping[str, Any]]: ...
    @overload
    async def config(
        self, service: str, *, bind: type[T], default: T | None = None
    ) -> AsyncLiveConfig[T]: ...
    @overload
    async def config(
        self, service: str, *, bind: Callable[[Mapping[str, Any]], T], default: T | None = None
    ) -> AsyncLiveConfig[T]: ...
    async def config(
        self, service: str, *, bind: Callable[..., Any] | None = None, default: Any = None
    ) -> AsyncLiveConfig[Any]:
        """Return a config that follows the server from now on; see `Client.config`.

        All configs of a client are followed by one task over one connection.
        """
        self._exchange.check_open()
        return await self._live.make(service, bind, default)

    @property
    def min_revision(self) -> int:
        """Revision of this client's last write; it reads no older state any more."""
        return self._exchange.min_revision

    async def run(self, call: Call[T]) -> T:
        """Return the result of a call.

        Raises:
            ConfigError: See `configsvc.client.failures`.
        """
        return await self._run_with(call)

    async def _run_with(self, call: Call[T], retries: Retries | None = None) -> T:
        steps = self._exchange.run(call, retries)
        came: Came = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                result: T = end.value
                return result
            came = await self._take(step)

    async def close(self) -> None:
        """Close the connections; any call after that raises ClientClosed, live configs stay as they are."""
        self._exchange.close()  # first, so that no live config is made any more
        await self._live.close()
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _take(self, step: Step) -> Came:
        if not isinstance(step, Send):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._transport.send(step.base_url, step.request)
        except NoAnswer as error:
            return error


def _default_transport(timeouts: Timeouts) -> AsyncTransport:
    # Loading httpx takes longer than all the rest; who brings a transport need not wait for it.
    from configsvc.client.httpx_transport import AsyncHttpxTransport

    return AsyncHttpxTransport(timeouts)
