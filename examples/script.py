"""A job whose pace is set while it works, and which is ended by its config.

Service `apps/job`: {"pause_s": 0.5, "is_ended": false}
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

from configsvc.client import Change, Client, NotReady


@dataclass(frozen=True)
class Job:
    pause_s: float
    is_ended: bool = False


def main() -> int:
    """Work until the config says that it is enough; return the exit code."""
    url, token = os.environ.get("CONFIGSVC_URL", "http://127.0.0.1:5000"), os.environ.get("CONFIGSVC_TOKEN")
    with Client(url, token=token) as client:
        config = client.config("apps/job", bind=Job)
        try:
            config.wait_ready(30)
        except NotReady as error:
            print(error, file=sys.stderr)
            return 1
        changed = threading.Event()

        @config.on_change
        def tell(change: Change[Job]) -> None:
            print(f"version {change.version}: {', '.join(change.changed)} changed", flush=True)
            changed.set()

        print(f"begins with {config.value} from {config.source}", flush=True)
        done = 0
        while not config.value.is_ended:
            done += 1  # the work
            changed.wait(config.value.pause_s)
            changed.clear()
        print("ended", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
