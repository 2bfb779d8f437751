"""The original system's own session, step by step, to be replayed against any client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Step = dict[str, Any]


class Reply(NamedTuple):
    """What a client got."""

    status: int
    text: str


Ask = Callable[[str, str, bytes | None], Reply]
"""Sends (method, path and query, JSON body) and returns the reply."""


def load_steps() -> list[Step]:
    """Return the steps of the session."""
    text = (Path(__file__).parent / "seed_transcript.json").read_text(encoding="utf-8")
    steps: list[Step] = json.loads(text)["steps"]
    return steps


def replay(ask: Ask) -> None:
    """Replay the session on an empty store and hold every reply to it."""
    for step in load_steps():
        body = json.dumps(step["body"]).encode() if "body" in step else None
        reply = ask(step["method"], f"/config?service={step['service']}", body)
        assert reply.status in step["status"], step["title"]
        if "text" in step:
            assert reply.text == step["text"], step["title"]
        if "json" in step:
            assert json.loads(reply.text) == step["json"], step["title"]
