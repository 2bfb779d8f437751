"""The WSGI environment of an ASGI request (PEP 3333)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote_to_bytes

from configsvc.api.rates import COUNTED
from configsvc.edge.asgi_types import Scope, client_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def make_environ(scope: Scope, body: BinaryIO) -> WSGIEnvironment:
    """Return the environment of a request whose body is read from `body` to its end."""
    server_name, server_port = scope.get("server") or ("localhost", None)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": _path(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/" + scope["http_version"],
        "SERVER_NAME": server_name,
        "SERVER_PORT": str(server_port or 80),
        "REMOTE_ADDR": client_address(scope),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if COUNTED in scope:
        environ[COUNTED] = True
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _path(scope: Scope) -> str:
    """Return the path, decoded once, as bytes in latin-1."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8")
    return unquote_to_bytes(raw).decode("latin-1")


def _add_header(environ: WSGIEnvironment, name: str, value: str) -> None:
    if "_" in name:
        return  # `X_Y` would pass for `X-Y`
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = "HTTP_" + key
    known = environ.get(key)
    environ[key] = value if known is None else f"{known},{value}"
