"""A client of the HTTP API: typed calls, retries, several servers, reads of one's own writes, live configs.

Imports `configsvc.core` and nothing else of the project; httpx is loaded when
the first client is made, asyncio when the asynchronous one is asked for, live configs when the first is made.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from configsvc.client.client import Client
from configsvc.client.failures import (
    AnswerInvalid,
    BindingFailed,
    ClientClosed,
    NoAnswer,
    NotReady,
    Refused,
)
from configsvc.client.live.options import LiveOptions
from configsvc.client.messages import Answer, Request
from configsvc.client.results import (
    Commit,
    Committed,
    ConfigItem,
    Deleted,
    Diff,
    Document,
    DocumentText,
    DryRun,
    FileDiff,
    Meta,
    MetaWritten,
    Page,
    Principal,
    PrincipalWritten,
    SchemaDocument,
    SchemaItem,
    SchemaWritten,
    ServerInfo,
    ServiceVersion,
    TokenInfo,
    Verdict,
    Version,
    VersionMade,
    Violation,
    Written,
)
from configsvc.client.retrying import Retries
from configsvc.client.transport import AsyncStream, AsyncTransport, Stream, Timeouts, Transport

if TYPE_CHECKING:
    from configsvc.client.async_client import AsyncClient
    from configsvc.client.live.async_config import AsyncLiveConfig
    from configsvc.client.live.config import Change, LiveConfig, Status

__all__ = [
    "Answer",
    "AnswerInvalid",
    "AsyncClient",
    "AsyncLiveConfig",
    "AsyncStream",
    "AsyncTransport",
    "BindingFailed",
    "Change",
    "Client",
    "ClientClosed",
    "Commit",
    "Committed",
    "ConfigItem",
    "Deleted",
    "Diff",
    "Document",
    "DocumentText",
    "DryRun",
    "FileDiff",
    "LiveConfig",
    "LiveOptions",
    "Meta",
    "MetaWritten",
    "NoAnswer",
    "NotReady",
    "Page",
    "Principal",
    "PrincipalWritten",
    "Refused",
    "Request",
    "Retries",
    "SchemaDocument",
    "SchemaItem",
    "SchemaWritten",
    "ServerInfo",
    "ServiceVersion",
    "Status",
    "Stream",
    "Timeouts",
    "TokenInfo",
    "Transport",
    "Verdict",
    "Version",
    "VersionMade",
    "Violation",
    "Written",
]

_LATER = {
    "AsyncClient": "configsvc.client.async_client",
    "AsyncLiveConfig": "configsvc.client.live.async_config",
    "Change": "configsvc.client.live.config",
    "LiveConfig": "configsvc.client.live.config",
    "Status": "configsvc.client.live.config",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
