"""Judging in the thread that asks, for as long as that is quick."""

from __future__ import annotations

from collections.abc import Sequence

from configsvc.core.reports import Violation
from configsvc.validation.compiled import MAX_QUICK_BYTES, compile_schema
from configsvc.validation.judge import judge_value
from configsvc.validation.keywords import MeterExceeded, metered
from configsvc.validation.schemas import Schema


def judge_quickly(value: object, schemas: Sequence[Schema], *, cpu_s: float) -> list[Violation] | None:
    """Return all violations of a value, as `judge_value` does; None when that may be slow, or was.

    Args:
        cpu_s: Processor time that it takes at most, in seconds.
    """
    if any(map(_is_slow, schemas)):
        return None
    try:
        with metered(cpu_s):
            return judge_value(value, schemas)
    except (MeterExceeded, RecursionError):
        return None


def _is_slow(schema: Schema) -> bool:
    return sum(map(len, schema.files.values())) > MAX_QUICK_BYTES or compile_schema(schema).is_slow
