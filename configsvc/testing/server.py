"""A real server in this process, for tests; needs what `pip install configsvc[server]` installs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configsvc.app import create_app, unlogged
from configsvc.assembly import open_instance
from configsvc.cli.listening import listening_socket
from configsvc.client import AsyncClient, Client, LiveOptions
from configsvc.edge.hot_answerer import HotAnswerer
from configsvc.edge.server import make_server
from configsvc.edge.watches import make_watches
from configsvc.settings import Address, Settings

STARTED_WITHIN_S = 30.0
STOPPED_WITHIN_S = 30.0
_NONE_KEPT = LiveOptions(cache_dir=None)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers at `url`.

    Args:
        repo: Its repository.
    """

    url: str
    repo: Path

    def client(self, **options: Any) -> Client:
        """Return a client of it; it keeps no copies on disk unless `options`, those of `Client`, say so."""
        return Client(self.url, **{"live": _NONE_KEPT, **options})

    def async_client(self, **options: Any) -> AsyncClient:
        """Return a client of it for coroutines, as `client` does."""
        return AsyncClient(self.url, **{"live": _NONE_KEPT, **options})


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[RunningServer]:
    """Serve `folder / "repo"`, made when it is not there, on a free port of loopback until the block ends.

    It answers the whole API as `configsvc serve` does with its defaults, but no git clients, and without
    schemas of an operator.

    Raises:
        RuntimeError: It did not start or stop in time.
    """
    settings = Settings(repo=folder / "repo", schemas=folder / "no-schemas", listen=Address("127.0.0.1", 0))
    started = threading.Event()
    with listening_socket(settings) as listener, open_instance(settings) as instance:
        service, access = instance.service, instance.access
        app = create_app(service, settings, access=access)
        hot = HotAnswerer(unlogged(app), access, service, settings.hot_cache_bytes)
        with contextlib.closing(hot):
            server = make_server(
                app,
                settings,
                hot=hot,
                answerers=make_watches(service, access, settings),
                turns=service.turns,
                access=access,
                revision=lambda: service.snapshot().revision,
                on_ready=started.set,
                on_stop=service.drain,
            )
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="configsvc")
            thread.start()
            try:
                if not started.wait(STARTED_WITHIN_S):
                    raise RuntimeError(f"server: not there after {STARTED_WITHIN_S:.0f} s")
                yield RunningServer(f"http://127.0.0.1:{listener.getsockname()[1]}", settings.repo)
            finally:
                server.should_exit = True
                thread.join(STOPPED_WITHIN_S)
                if thread.is_alive():
                    raise RuntimeError(f"server: still there after {STOPPED_WITHIN_S:.0f} s")
