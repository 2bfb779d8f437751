"""The ASGI application that the server runs: lifespan, and HTTP handed on to who answers it."""

from __future__ import annotations

from collections.abc import Sequence

from configsvc.edge.answering import Answerer, Answering
from configsvc.edge.asgi_types import Receive, Scope, Send
from configsvc.edge.bridge import WsgiBridge
from configsvc.edge.limiting import Limiting
from configsvc.edge.refusals import Refusals


class EdgeApp:
    """Answers every request through the first of `answerers` that takes it, else through `bridge`.

    Args:
        bridge: Closed at the end.
        limiting: Asked first; None: nobody is limited.
    """

    def __init__(
        self,
        bridge: WsgiBridge,
        refusals: Refusals,
        answerers: Sequence[Answerer] = (),
        *,
        limiting: Limiting | None = None,
    ) -> None:
        self._bridge = bridge
        self._refusals = refusals
        self._answerers = tuple(answerers)
        self._limiting = limiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            scope["app"] = self  # an answerer may ask the others
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            raise ValueError(f"scope: {scope['type']!r} (expected: http or lifespan)")

    def drain(self) -> None:
        """Let the answerers end what waits; see `Answerer.drain`."""
        for answerer in self._answerers:
            answerer.drain()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = Answering(scope, send, self._refusals)
        await answering.run(self._hand_on(scope, receive, answering.send))

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._limiting is not None:
            self._limiting.check(scope)
        for answerer in self._answerers:
            answer = answerer.find(scope)
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self._bridge(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        for answerer in self._answerers:
            answerer.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._bridge.close()
        await send({"type": "lifespan.shutdown.complete"})
