"""Handing a plan to the store until it has landed, without holding up the writer."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError

from configsvc.core.changes import Author, Outcome, Plan
from configsvc.core.errors import OutcomeUnknown, WriteFailed
from configsvc.core.tracing import UNTRACED, Tracer
from configsvc.service.turns import Turns
from configsvc.store.base import ConfigStore, PlanAgain, View, Write

WRITE_TIMEOUT_S = 60.0
"""Longest a request waits for its write, in seconds."""
MAX_PUT_OFF_S = 20.0
"""How long a write that loses the race with others is planned again, outside of the writer's turn."""

PatientPlan = Callable[[View, bool], Plan]
"""A plan that is told whether it may take long; if not, it raises `PlanAgain` where it would."""


def land(
    store: ConfigStore,
    plan: PatientPlan,
    author: Author,
    request_id: str | None = None,
    digest: str = "",
    *,
    turns: Turns | None = None,
    tracer: Tracer = UNTRACED,
) -> Outcome:
    """Return what came of a write; see `Write` for the arguments.

    Args:
        turns: A turn that this thread has is lent to others while it waits.
        tracer: Told of `judge`, the plan that this thread makes, and of `land`, its wait for the writer.

    Raises:
        ConfigError: The plan or the store refused it.
        OutcomeUnknown: Nothing was heard of it for `WRITE_TIMEOUT_S`.
        WriteFailed: It is slow to judge, and others were always faster.
    """
    asking = threading.get_ident()
    give_up_at = time.monotonic() + MAX_PUT_OFF_S

    def planned(view: View) -> Plan:
        return plan(view, threading.get_ident() == asking)

    while time.monotonic() < give_up_at:
        with tracer.span("judge"):
            future = store.submit(Write(planned, author, request_id, digest))
        try:
            with tracer.span("land"), contextlib.nullcontext() if turns is None else turns.lent():
                return future.result(timeout=WRITE_TIMEOUT_S)
        except PlanAgain:
            continue
        except FutureTimeoutError:
            raise _unknown() from None
    raise WriteFailed(
        f"write: others changed the same again and again for {MAX_PUT_OFF_S:g} s; nothing was written"
    )


def _unknown() -> OutcomeUnknown:
    return OutcomeUnknown(
        f"write: no outcome within {WRITE_TIMEOUT_S:.0f} s; it may still land (repeat it with its request id)"
    )
