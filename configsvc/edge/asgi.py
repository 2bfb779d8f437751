"""The ASGI application that the server runs: lifespan, and HTTP handed on to the bridge."""

from __future__ import annotations

from configsvc.edge.asgi_types import Receive, Scope, Send
from configsvc.edge.bridge import WsgiBridge


class EdgeApp:
    """Answers every request through `bridge`, and closes it at the end."""

    def __init__(self, bridge: WsgiBridge) -> None:
        self._bridge = bridge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            await self._bridge(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            raise ValueError(f"scope: {scope['type']!r} (expected: http or lifespan)")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._bridge.close()
        await send({"type": "lifespan.shutdown.complete"})
