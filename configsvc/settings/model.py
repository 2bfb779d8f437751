"""The server's settings as one frozen value."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

from configsvc.documents.bounds import DEFAULT_BOUNDS, Bounds
from configsvc.settings.parsing import (
    Address,
    integer,
    one_of,
    parse_address,
    parse_flag,
    parse_hosts,
    parse_networks,
    parse_path,
    rate,
    seconds,
)

KIB = 1 << 10
MIB = 1 << 20
MAX_COMMIT_BYTES = 16 * MIB
"""Largest body that changes many services in one commit."""
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_LISTEN = Address("127.0.0.1", 5000)
_COUNT = integer(1, 100_000)
_DEADLINE = seconds(0.05, 3600)
_RATE = rate(1_000_000)
_LEVEL = one_of("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a server; see `load_settings`.

    What stands in `Annotated` is how a value is parsed, and the help text.
    """

    repo: Annotated[Path, parse_path, "Git working tree that holds the configs."] = Path("config-repo")
    schemas: Annotated[Path, parse_path, "Folder of the operator's own JSON Schemas."] = Path("schemas")
    listen: Annotated[Address, parse_address, "HOST:PORT to listen on; port 0: any free one."] = _LISTEN
    host_name: Annotated[tuple[str, ...], parse_hosts, "Name that clients reach this server by."] = ()
    open: Annotated[bool, parse_flag, "Without principals: let other machines read and write."] = False
    admin_token_file: Annotated[
        Path | None, parse_path, "File with the token of the first admin, who is made where there is none."
    ] = None
    tls_certificate: Annotated[
        Path | None, parse_path, "PEM file with the certificate and its chain; with it the server speaks TLS."
    ] = None
    tls_key: Annotated[
        Path | None, parse_path, "PEM file with the certificate's key; without, it is in the same file."
    ] = None
    log_format: Annotated[str, one_of("text", "json"), "text or json; one line an event, on stderr."] = "text"
    log_level: Annotated[str, _LEVEL, "Least level that is logged: debug, info, warning or error."] = "info"
    audit_log: Annotated[
        Path | None, parse_path, "File that the audit log is appended to; without, it goes to the log."
    ] = None
    traces: Annotated[
        bool, parse_flag, "Send OpenTelemetry traces; needs the extra otel; OTEL_... variables say where to."
    ] = False
    max_document_bytes: Annotated[int, integer(2, 64 * MIB), "Largest document, in bytes."] = (
        DEFAULT_BOUNDS.max_bytes
    )
    max_depth: Annotated[int, integer(1, 200), "Deepest nesting in a document."] = DEFAULT_BOUNDS.max_depth
    max_nodes: Annotated[int, integer(1, 10_000_000), "Most nodes in a document."] = DEFAULT_BOUNDS.max_nodes
    max_expanded_bytes: Annotated[
        int, integer(2, 256 * MIB), "Most text in a document, in bytes, its aliases resolved."
    ] = DEFAULT_BOUNDS.max_expanded_bytes
    threads: Annotated[int, integer(1, 256), "Threads that answer reads."] = 32
    write_threads: Annotated[int, integer(1, 256), "Threads that answer writes."] = 32
    max_queued_reads: Annotated[int, _COUNT, "Most reads that wait for a thread; 503 beyond."] = 4096
    max_queued_writes: Annotated[int, _COUNT, "Most writes that wait for a thread; 503 beyond."] = 512
    git_processes: Annotated[int, integer(1, 256), "Clones and pushes at one time; 503 beyond."] = 8
    git_timeout_s: Annotated[float, seconds(1, 86_400), "Seconds that a clone or a push may take."] = 900.0
    max_push_bytes: Annotated[int, integer(KIB, 16_384 * MIB), "Largest push, in bytes, as it is sent."] = (
        256 * MIB
    )
    max_connections: Annotated[int, _COUNT, "Most open connections; 503 beyond."] = 20_000
    max_watches: Annotated[int, _COUNT, "Most watches at one time; 503 beyond."] = 10_000
    max_head_bytes: Annotated[int, integer(KIB, MIB), "Largest head of a request, in bytes."] = 64 * KIB
    max_buffered_bytes: Annotated[
        int, integer(MIB, 4096 * MIB), "Most bytes of request bodies held at one time; 503 beyond."
    ] = 64 * MIB
    hot_cache_bytes: Annotated[
        int, integer(0, 65_536 * MIB), "Most bytes of answers kept ready for reads; 0: none are."
    ] = 256 * MIB
    wire: Annotated[bool, parse_flag, "Answer what is kept ready before parsing the request."] = True
    rate_per_address: Annotated[
        float, _RATE, "Requests a second of one address, on average; 429 beyond; 0: no limit."
    ] = 0.0
    rate_per_principal: Annotated[
        float, _RATE, "Requests a second of one principal, on average; 429 beyond; 0: no limit."
    ] = 0.0
    rate_burst_s: Annotated[
        float, seconds(0.1, 3600), "Seconds whose requests a client may make at once, within the rates."
    ] = 10.0
    trusted_proxy: Annotated[
        tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
        parse_networks,
        "Address or network of a proxy whose X-Forwarded-For names the client.",
    ] = ()
    open_metrics: Annotated[bool, parse_flag, "Answer /metrics without a credential."] = False
    header_timeout_s: Annotated[float, _DEADLINE, "Seconds that the head of a request may take."] = 10.0
    body_timeout_s: Annotated[float, _DEADLINE, "Seconds that the body of a request may take."] = 30.0
    write_timeout_s: Annotated[float, _DEADLINE, "Seconds that a client may leave an answer unread."] = 30.0
    keep_alive_s: Annotated[float, _DEADLINE, "Seconds that an idle connection stays open."] = 75.0
    shutdown_grace_s: Annotated[float, seconds(0, 600), "Seconds a stop waits for requests under way."] = 5.0

    @property
    def bounds(self) -> Bounds:
        """Limits on one document."""
        return Bounds(self.max_document_bytes, self.max_depth, self.max_nodes, self.max_expanded_bytes)

    @property
    def max_body_bytes(self) -> int:
        """Size of the largest request body, whatever it is for."""
        return max(self.max_document_bytes, MAX_COMMIT_BYTES)

    def allowed_hosts(self, *, is_closed: bool) -> frozenset[str] | None:
        """Return the hosts that requests may name, or None for any.

        A web page that DNS was made to bind to this machine's address still
        names its own host.  A server that asks for a credential, or is opened to the
        network, answers to any name until the operator has said which ones it is known by.

        Args:
            is_closed: There are principals.
        """
        if (is_closed or self.open) and not self.host_name:
            return None
        listened = f"[{self.listen.host}]" if ":" in self.listen.host else self.listen.host
        return LOOPBACK_HOSTS | {listened.lower(), *self.host_name}


@dataclass(frozen=True, slots=True)
class SettingRule:
    """How one setting is written.

    Args:
        parse: Takes text, or what TOML has; raises `ValueError` with what it expected.
        help: One sentence for the command line and the documentation.
    """

    name: str
    parse: Callable[[object], object]
    help: str


def _rules() -> dict[str, SettingRule]:
    hints = get_type_hints(Settings, include_extras=True)
    return {name: SettingRule(name, *get_args(hint)[1:]) for name, hint in hints.items()}


RULES = _rules()
"""Every setting by its name, in the order of `Settings`."""
