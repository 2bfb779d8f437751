"""Handing a plan to the store until it has landed, without holding up the writer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError

from configsvc.core.changes import Author, Outcome, Plan
from configsvc.core.errors import OutcomeUnknown
from configsvc.store.base import ConfigStore, PlanAgain, View, Write

WRITE_TIMEOUT_S = 60.0
"""Longest a request waits for its write, in seconds."""
PUT_OFF_TIMES = 4
"""How often a write that loses the race with others is planned again outside of the writer's turn."""

PatientPlan = Callable[[View, bool], Plan]
"""A plan that is told whether it may take long; if not, it raises `PlanAgain` where it would."""


def land(
    store: ConfigStore, plan: PatientPlan, author: Author, request_id: str | None = None, digest: str = ""
) -> Outcome:
    """Return what came of a write; see `Write` for the arguments.

    Raises:
        ConfigError: The plan or the store refused it.
        OutcomeUnknown: Nothing was heard of it for `WRITE_TIMEOUT_S`.
    """
    asking = threading.get_ident()
    for attempt in range(PUT_OFF_TIMES + 1):
        # At last it waits in the writer's turn, so that no write is put off for ever.
        is_last = attempt == PUT_OFF_TIMES

        def planned(view: View, is_last: bool = is_last) -> Plan:
            return plan(view, is_last or threading.get_ident() == asking)

        future = store.submit(Write(planned, author, request_id, digest))
        try:
            return future.result(timeout=WRITE_TIMEOUT_S)
        except PlanAgain:
            continue
        except FutureTimeoutError:
            break
    raise OutcomeUnknown(
        f"write: no outcome within {WRITE_TIMEOUT_S:.0f} s; it may still land (repeat it with its request id)"
    )
