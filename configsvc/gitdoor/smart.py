"""git's smart HTTP protocol (gitprotocol-http(5)): four requests, each one git process."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from flask import Blueprint, Response, g, request
from werkzeug.wsgi import get_input_stream

from configsvc.access.decide import Action, Admission
from configsvc.api.audited import origin_of
from configsvc.api.guard import admission, require, require_somewhere
from configsvc.core.changes import Author
from configsvc.core.errors import Forbidden, MediaTypeUnsupported, NotFound, RequestInvalid, Unavailable
from configsvc.core.patterns import EVERYTHING
from configsvc.gitdoor.cputime import CpuAllowance
from configsvc.gitdoor.faults import fault_of
from configsvc.gitdoor.haves import have_lines, with_lines
from configsvc.gitdoor.inflating import read_chunks
from configsvc.gitdoor.process import GitProcess
from configsvc.gitdoor.pushers import VARIABLE, Pushers
from configsvc.gitdoor.report import explained
from configsvc.gitdoor.slots import Slots
from configsvc.settings import Settings
from configsvc.store.base import Snapshot

PREFIX = "/config-repo.git"
MAX_FETCH_REQUEST_BYTES = 32 << 20
"""Largest request to fetch, unpacked: some 600,000 ids that the client has."""
PUSH_CPU = CpuAllowance(base_s=10.0, per_mib_s=1.0)
"""For taking a push; `git index-pack --strict` of 55 MiB, 10,000 small files among them, takes 1 s."""
SERVICES = ("git-upload-pack", "git-receive-pack")
_PROTOCOL = re.compile(r"version=([012])")
_MAX_PROTOCOL_CHARS = 200
_TIDY_S = 1.0
_UNCACHED = {
    "Cache-Control": "no-cache, max-age=0, must-revalidate",
    "Expires": "Fri, 01 Jan 1980 00:00:00 GMT",
    "Pragma": "no-cache",
}

_log = logging.getLogger("configsvc.git")


def is_git_path(path: str) -> bool:
    """Return whether a request for `path` is one of a git client, whose body is streamed."""
    return path.startswith(PREFIX + "/")


def make_git_blueprint(
    root: Path, settings: Settings, pushers: Pushers, snapshot: Callable[[], Snapshot]
) -> Blueprint:
    """Return the blueprint of `/config-repo.git` for the repository at `root`, of which `snapshot` is."""
    door = SmartHttp(root, settings, pushers, snapshot)
    blueprint = Blueprint("git", __name__)
    blueprint.add_url_rule(f"{PREFIX}/info/refs", "refs", door.refs, methods=["GET"])
    blueprint.add_url_rule(f"{PREFIX}/git-upload-pack", "fetch", door.fetch, methods=["POST"])
    blueprint.add_url_rule(f"{PREFIX}/git-receive-pack", "push", door.push, methods=["POST"])
    blueprint.register_error_handler(Forbidden, _tell_forbidden)
    return blueprint


@dataclass
class SmartHttp:
    """Answers git clients.

    Args:
        pushers: Told of each push, so that the hooks can ask who it is of.
    """

    root: Path
    settings: Settings
    pushers: Pushers
    snapshot: Callable[[], Snapshot]

    def __post_init__(self) -> None:
        self._slots = Slots(self.settings.git_processes)

    def refs(self) -> Response:
        """Answer what there is to fetch, or to push to."""
        asking = _admitted(request.args.get("service", ""))
        if len(request.args.getlist("service")) > 1:
            raise RequestInvalid("service: given more than once (expected: ?service=git-upload-pack)")
        service = request.args.get("service", "")
        if service not in SERVICES or len(request.args) != 1:
            raise NotFound("service: none of git's smart ones (expected: ?service=git-upload-pack)")
        environ = self._environ()
        arguments = [service.removeprefix("git-"), "--stateless-rpc", "--http-backend-info-refs", "."]
        head = b"" if environ.get("GIT_PROTOCOL") == "version=2" else _announcement(service)
        running = self._started(asking, arguments, environ)
        running.git.feed(())
        lines = have_lines(self.snapshot()) if running.is_push else b""
        return _response(running, f"application/x-{service}-advertisement", head, lines)

    def fetch(self) -> Response:
        """Answer the objects that a client asks for."""
        return self._answer("git-upload-pack", [], MAX_FETCH_REQUEST_BYTES)

    def push(self) -> Response:
        """Take the objects of a client, and answer what became of its refs."""
        limit = ["-c", f"receive.maxInputSize={self.settings.max_push_bytes}"]
        return self._answer("git-receive-pack", limit, self.settings.max_push_bytes + (1 << 20))

    def _answer(self, service: str, options: list[str], max_bytes: int) -> Response:
        asking = _admitted(service)
        if request.mimetype != f"application/x-{service}-request":
            raise MediaTypeUnsupported(
                f"Content-Type: {request.mimetype[:80]!a} (expected: application/x-{service}-request)"
            )
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        body = cast(BinaryIO, get_input_stream(request.environ, safe_fallback=False))
        arguments = [*options, service.removeprefix("git-"), "--stateless-rpc", "."]
        running = self._started(asking, arguments, self._environ())
        try:
            running.git.feed(read_chunks(body, encoding, max_bytes=max_bytes))
        except BaseException:
            running.close()
            raise
        return _response(running, f"application/x-{service}-result")

    def _environ(self) -> dict[str, str]:
        return _protocol(request.headers.get("Git-Protocol", ""))

    def _started(self, admission: Admission, arguments: list[str], environ: Mapping[str, str]) -> Running:
        with contextlib.ExitStack() as held:
            held.enter_context(self._slots.taken(admission))
            push_id = held.enter_context(self.pushers.known(admission, origin_of("git")))
            more = {VARIABLE: push_id} | _reflog_identity(admission.principal.author)
            is_push = "receive-pack" in arguments
            git = GitProcess(
                self.root,
                arguments,
                environ={**environ, **more},
                timeout_s=self.settings.git_timeout_s,
                tidy_s=_TIDY_S if is_push else 0.0,
                cpu=PUSH_CPU if is_push else None,
            )
            held.callback(git.end)
            return Running(git, held.pop_all(), is_push)


@dataclass
class Running:
    """A git process with its slot; both are let go of by `close`."""

    git: GitProcess
    held: contextlib.ExitStack
    is_push: bool

    def close(self) -> None:
        """End the process.  Closing twice is harmless."""
        self.held.close()


class Output:
    """A process's output as the body of an answer; to close it ends the process."""

    def __init__(self, running: Running, head: bytes, first: bytes, lines: bytes) -> None:
        self._running = running
        chunks = self._read(first)
        if lines:
            chunks = with_lines(chunks, lines)
        elif running.is_push:
            chunks = explained(chunks, running.git.find_reason)
        self._chunks = itertools.chain((head,), chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """End the process, whether it is done or not."""
        self._running.close()

    def _read(self, first: bytes) -> Iterator[bytes]:
        yield first
        while chunk := self._running.git.read():
            yield chunk
        if self._running.git.wait() != 0:
            _log.warning("git failed: %s", ascii(self._running.git.last_words()[-500:]))


def _response(running: Running, media_type: str, head: bytes = b"", lines: bytes = b"") -> Response:
    try:
        first = running.git.read()
        if not first and (code := running.git.wait()) != 0:
            fault = fault_of(code, running.git.last_words())
            level = logging.WARNING if isinstance(fault, Unavailable) else logging.INFO
            _log.log(level, "git failed: %s", ascii(running.git.last_words()[-500:]))
            raise fault
    except BaseException:
        running.close()
        raise
    return Response(Output(running, head, first, lines), headers=_UNCACHED, content_type=media_type)


def _announcement(service: str) -> bytes:
    line = f"# service={service}\n"
    return f"{len(line) + 4:04x}{line}0000".encode("ascii")


def _protocol(header: str) -> dict[str, str]:
    """Return the environment that asks git for the protocol version of a request; the unknown is left out."""
    if len(header) > _MAX_PROTOCOL_CHARS:
        return {}
    known = [part for part in header.split(":") if _PROTOCOL.fullmatch(part)]
    return {"GIT_PROTOCOL": known[0]} if known else {}


def _admitted(service: str) -> Admission:
    """Return by which right a git client asks: one to read everything, and to push, to write something."""
    require(Action.READ, EVERYTHING)
    if service == "git-receive-pack":
        # Before a byte of a push is looked at: what it may not do at all costs nothing.
        require_somewhere(Action.WRITE)
    return admission()


def _tell_forbidden(error: Forbidden) -> Response:
    """Return a refusal as git shows it to people: it does so with plain text alone."""
    g.problem_code = error.code
    return Response(error.message + "\n", 403, content_type="text/plain; charset=utf-8")


def _reflog_identity(author: Author) -> dict[str, str]:
    return {"GIT_COMMITTER_NAME": author.name, "GIT_COMMITTER_EMAIL": author.email}
