"""Who else answers a read of 1 KB: nginx with a file, etcd's JSON gateway, Flask's development server.

Those that run on Java are in `jvm`.  Each runs unmodified, on a free port of this
machine, for the length of a block.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_READY_S = 20.0
_KEY = "document"
_NGINX = """
daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; keepalive_timeout 75; keepalive_requests 100000000;
  open_file_cache max=10000; default_type application/json;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}/html; }}
}}
"""
_DEVELOPMENT = """
import sys
from flask import Flask, Response
app, body = Flask("seed"), open(sys.argv[2], "rb").read()
app.add_url_rule("/config", view_func=lambda: Response(body, mimetype="application/json"))
app.run(port=int(sys.argv[1]))
"""


def is_there(program: str) -> bool:
    """Return whether a program is installed."""
    return shutil.which(program) is not None


@contextlib.contextmanager
def nginx(folder: Path, body: bytes) -> Iterator[str]:
    """Serve `body` as a file, without a log; yield its URL."""
    folder.joinpath("html").mkdir(parents=True)
    folder.joinpath("html/document.json").write_bytes(body)
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its workers may not read our folder
    port = free_port()
    folder.joinpath("nginx.conf").write_text(user + _NGINX.format(root=folder, port=port), encoding="utf-8")
    with running("nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), port=port):
        yield f"http://127.0.0.1:{port}/document.json"


@contextlib.contextmanager
def development_server(folder: Path, body: bytes) -> Iterator[str]:
    """Answer `body` from a route of Flask's own server, which keeps no connection; yield its URL."""
    folder.mkdir(parents=True)
    folder.joinpath("document.json").write_bytes(body)
    port = free_port()
    command = (sys.executable, "-c", _DEVELOPMENT, str(port), str(folder / "document.json"))
    with running(*command, port=port):
        yield f"http://127.0.0.1:{port}/config?service=a"


@contextlib.contextmanager
def etcd(folder: Path, body: bytes) -> Iterator[str]:
    """Keep `body` as a value; yield the URL of reads."""
    port, peer = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["etcd", "--data-dir", str(folder), "--listen-client-urls", url, "--advertise-client-urls", url]
    with running(*command, "--listen-peer-urls", f"http://127.0.0.1:{peer}", port=port):
        put = json.dumps({"key": _coded(_KEY.encode()), "value": _coded(body)}).encode()
        deadline = time.monotonic() + _READY_S
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url + "/v3/kv/put", put, timeout=_READY_S).close()
                break
            if time.monotonic() > deadline:
                raise RuntimeError("etcd: takes no write")
            time.sleep(0.1)
        yield url + "/v3/kv/range"


def etcd_script(*, is_serializable: bool) -> str:
    """Return a script by which wrk asks etcd for the value; serializable reads ask no quorum."""
    asked = json.dumps({"key": _coded(_KEY.encode()), "serializable": is_serializable})
    return f"wrk.method = 'POST'\nwrk.body = '{asked}'\n"


@contextlib.contextmanager
def running(*command: str, port: int, ready_s: float = _READY_S) -> Iterator[None]:
    """Run a program until the block ends, entered once it listens on `port`."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + ready_s
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]}: does not listen after {ready_s:.0f} s")
            time.sleep(0.05)
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]}: exit {process.returncode} (expected: it serves)")
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
