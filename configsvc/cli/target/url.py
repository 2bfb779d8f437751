"""A server as a target: the client, and what commands need beyond single calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from configsvc.cli.target.following import Following
from configsvc.cli.target.protocol import Change, LogAsk, LogEntry, NewDocument
from configsvc.client import Client, Commit, Committed, ConfigItem, DryRun, MetaWritten, Page, Version
from configsvc.client.calls import Call
from configsvc.client.httpx_transport import is_url
from configsvc.core.errors import RequestInvalid, SettingInvalid, Unauthorized, Unavailable
from configsvc.core.names import parse_service

T = TypeVar("T")

PAGE = 1000
"""Items asked for at a time: the most that a server gives."""
LIST_TRIES = 3
"""How often a list is begun anew because it changed while it was read."""


def open_url(
    urls: Sequence[str], token: str | None, read_token: Callable[[], str] | None = None
) -> UrlTarget:
    """Return servers as a target; see `UrlTarget`.

    Args:
        urls: Base URLs, best first.

    Raises:
        SettingInvalid: What the environment says of proxies or certificates cannot be used; the
            message never shows it, since a proxy's URL may have a password in it.
    """
    try:
        return UrlTarget(urls, token, read_token)
    except OSError as error:  # SSLError is one
        raise SettingInvalid(
            f"SSL_CERT_FILE, SSL_CERT_DIR: cannot be used: {error.strerror or type(error).__name__} "
            "(expected: certificates in PEM)"
        ) from error
    except (ValueError, ImportError) as error:
        raise SettingInvalid(
            "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY: cannot be used "
            "(expected: http://HOST:PORT; socks5:// takes `pip install 'httpx[socks]'`)"
        ) from error


def is_base_url(text: str) -> bool:
    """Return whether requests can be sent below `text`."""
    return is_url(text) and text.isprintable() and not set(text) & set(" \\")


class UrlTarget(Client):
    """One or several servers.

    Args:
        urls: Best first.
        token: The principal's; None for an open server.
        read_token: Reads the token anew when it is refused: it may have been rotated since.
    """

    def __init__(
        self, urls: Sequence[str], token: str | None, read_token: Callable[[], str] | None = None
    ) -> None:
        super().__init__(urls, token=token)
        self._token = token
        self._read_token = read_token
        self._urls = tuple(urls)
        self._followings: list[Following] = []

    @property
    def place(self) -> str:
        """The first server's URL."""
        return self._urls[0]

    def list_all(self, prefix: str = "") -> Iterator[ConfigItem]:
        """Yield the services whose names start with `prefix`, all as of one revision.

        Raises:
            Unavailable: The repository changes faster than it can be listed.
        """
        for _ in range(LIST_TRIES):
            pages = list(
                self.pages(lambda cursor: self.list_configs(prefix=prefix, limit=PAGE, cursor=cursor))
            )
            if len({page.revision for page in pages}) == 1:
                return iter([item for page in pages for item in page.items])
        raise Unavailable(f"list: changed {LIST_TRIES} times while it was read (expected: one revision)")

    def put_many(
        self, documents: Sequence[NewDocument], *, message: str | None = None, dry_run: bool = False
    ) -> Committed | DryRun:
        """Create or replace documents in one commit, all or none."""
        changes = [
            {"op": "put", "service": each.service, "document": each.text, "format": each.format}
            for each in documents
        ]
        return self.commit(changes, message=message, dry_run=dry_run)

    def set_enabled(
        self, service: str, enabled: bool, *, message: str | None = None, dry_run: bool = False
    ) -> MetaWritten | DryRun:
        """Enable or disable a service."""
        return self.patch_meta(service, {"enabled": enabled}, message=message, dry_run=dry_run)

    def log(self, ask: LogAsk) -> list[LogEntry]:
        """Return commits of main, newest first; of a service, those that made its versions."""
        found: list[LogEntry] = []
        for entry in self._entries(ask.service):
            # Each commit may have a time of its own choice, so those that are older end nothing.
            if _is_asked(entry, ask):
                found.append(entry)
            if len(found) >= ask.limit:
                break
        return found

    def head(self) -> int:
        """Return the newest revision."""
        return self.server_info().revision

    def watch(
        self, services: Sequence[str] = (), *, prefix: str | None = None, since: int | None = None
    ) -> Iterator[Change]:
        """Yield each revision that changes what is watched; what breaks is taken up again."""
        names = [parse_service(service) for service in services]
        newest = self.head()
        if since is not None and since > newest:
            raise RequestInvalid(f"since: {since} (expected: <= {newest}, the newest revision)")
        start = newest if since is None else since
        following = Following(self._exchange, self._transport, names, prefix, start, self._renew_token)
        self._followings.append(following)
        return following.changes()

    def run(self, call: Call[T]) -> T:
        """Return the result of a call; no server that is behind what a watch told is asked."""
        told = max((each.position for each in self._followings), default=0)
        if told and call.request.takes_min_revision:
            params = {"min_revision": str(told), **call.request.params}
            call = replace(call, request=replace(call.request, params=params))
        try:
            return super().run(call)
        except Unauthorized:  # so nothing was done
            if not self._renew_token():
                raise
        return super().run(call)

    def let_go(self) -> None:
        """Do nothing: a server's client holds nothing of others."""

    def close(self) -> None:
        """End the watches and close the connections."""
        for following in self._followings:
            following.close()
        super().close()

    def _renew_token(self) -> bool:
        """Return whether there is another token now, which is sent from here on."""
        if self._read_token is None:
            return False
        try:
            token = self._read_token()
        except SettingInvalid:
            return False
        if token == self._token:
            return False
        self._exchange.use_token(token)
        self._token = token
        return True

    def _entries(self, service: str) -> Iterator[LogEntry]:
        """Yield the commits of main; with a service, those that made its versions."""
        pages: Iterator[Page[Version]] | Iterator[Page[Commit]]
        if service:
            pages = self.pages(lambda cursor: self.history(service, limit=PAGE, cursor=cursor))
        else:
            pages = self.pages(lambda cursor: self.list_commits(limit=PAGE, cursor=cursor))
        for page in pages:
            for each in page.items:
                yield LogEntry(
                    each.revision, each.commit_id, each.committed_at, each.author, each.message.rstrip("\n")
                )

    def pages(self, ask: Callable[[str | None], Page[T]]) -> Iterator[Page[T]]:
        """Yield all pages of a list, each asked for by the cursor to it."""
        cursor: str | None = None
        while True:
            page = ask(cursor)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return


def _is_asked(entry: LogEntry, ask: LogAsk) -> bool:
    name, _, address = entry.author.partition(" <")
    if ask.principal and ask.principal not in (name, address.removesuffix(">")):
        return False
    return ask.since_s is None or datetime.fromisoformat(entry.committed_at).timestamp() >= ask.since_s
