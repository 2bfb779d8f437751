"""A web application whose settings change while it runs, in every forked worker.

Service `apps/web`: {"greeting": "Hello", "max_items": 3}

    gunicorn --preload --workers 4 --chdir examples flask_app:app
"""

from __future__ import annotations

import dataclasses
import os

from flask import Flask

from configsvc.client import Change, Client


@dataclasses.dataclass(frozen=True)
class Settings:
    greeting: str
    max_items: int = 10


# Made before the workers are forked: each of them follows with a connection of its own. It starts without the
# server, too: with the last good copy on disk, or with the default.
client = Client(
    os.environ.get("CONFIGSVC_URL", "http://127.0.0.1:5000"), token=os.environ.get("CONFIGSVC_TOKEN")
)
config = client.config("apps/web", bind=Settings, default=Settings(greeting="Hello"))
app = Flask(__name__)


@config.on_change
def tell(change: Change[Settings]) -> None:
    """Log what changed; this is where a pool would be resized, say."""
    app.logger.warning("version %d: %s", change.version, ", ".join(change.changed))


@app.get("/")
def index() -> dict[str, object]:
    """Answer with one version's values: `settings` stays what it is while a newer one comes."""
    settings = config.value
    return {"greeting": settings.greeting, "items": list(range(settings.max_items)), "worker": os.getpid()}


@app.get("/health")
def health() -> dict[str, object]:
    """Tell which version is used, and why not the newest if that is so."""
    return dataclasses.asdict(config.status)
