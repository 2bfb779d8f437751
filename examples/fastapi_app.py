"""A web application of coroutines whose settings, a pydantic model, change while it runs.

Service `apps/web`: {"greeting": "Hello", "max_items": 3}

    uvicorn --app-dir examples fastapi_app:app
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, Field

from configsvc.client import AsyncClient, AsyncLiveConfig, Change


class Settings(BaseModel):
    """What the service holds; what breaks these rules is not adopted."""

    greeting: str
    max_items: int = Field(default=10, ge=0, le=1000)


async def tell(change: Change[Settings]) -> None:
    """Log what changed; a coroutine is awaited before the next change is told."""
    logging.getLogger("uvicorn.error").info("version %d: %s", change.version, ", ".join(change.changed))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Follow the config while the application runs."""
    url, token = os.environ.get("CONFIGSVC_URL", "http://127.0.0.1:5000"), os.environ.get("CONFIGSVC_TOKEN")
    async with AsyncClient(url, token=token) as client:
        config = await client.config("apps/web", bind=Settings, default=Settings(greeting="Hello"))
        config.on_change(tell)
        app.state.config = config
        yield


app = FastAPI(lifespan=lifespan)


def live(request: Request) -> AsyncLiveConfig[Settings]:
    """Return the live config, for routes that depend on it."""
    config: AsyncLiveConfig[Settings] = request.app.state.config
    return config


Live = Annotated[AsyncLiveConfig[Settings], Depends(live)]


@app.get("/")
async def index(config: Live) -> dict[str, object]:
    """Answer with one version's values."""
    settings = config.value
    return {"greeting": settings.greeting, "items": list(range(settings.max_items))}


@app.get("/health")
async def health(config: Live) -> dict[str, object]:
    """Tell which version is used, and why not the newest if that is so."""
    status = config.status
    return {"source": status.source, "version": status.version, "problem": status.problem}
