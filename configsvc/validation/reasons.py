"""Which findings explain a finding: of alternatives, those of the one that fits best."""

from __future__ import annotations

from collections.abc import Sequence

from jsonschema.exceptions import ValidationError

from configsvc.validation.messages import describe, one_of_types, type_names

MAX_REASONS = 3
"""Most alternatives that one message speaks of."""


def reasons(error: ValidationError) -> list[tuple[ValidationError, str]]:
    """Return the findings that explain a finding, each with its message."""
    if error.validator not in ("anyOf", "oneOf") or not error.context:
        return [(error, describe(error))]
    branches = _branches(error.context)
    if all(_is_other_type(branch) for branch in branches):
        types = [name for branch in branches for name in type_names(branch[0].validator_value)]
        return [(error, one_of_types(error.instance, types))]
    ranked = sorted(branches, key=_distance)
    nearest = [branch for branch in ranked if _distance(branch) == _distance(ranked[0])]
    if len(nearest) == 1:
        return [reason for each in nearest[0] for reason in reasons(each)]
    text = "; or ".join(reasons(branch[0])[0][1] for branch in nearest[:MAX_REASONS])
    more = "; or ..." if len(nearest) > MAX_REASONS else ""
    return [(error, f"{describe(error)}: {text}{more}")]


def _branches(context: Sequence[ValidationError]) -> list[list[ValidationError]]:
    """Return the findings of each alternative."""
    branches: dict[object, list[ValidationError]] = {}
    for error in context:
        branches.setdefault(error.relative_schema_path[0], []).append(error)
    return list(branches.values())


def _is_other_type(branch: list[ValidationError]) -> bool:
    return len(branch) == 1 and branch[0].validator == "type" and not branch[0].relative_path


def _distance(branch: list[ValidationError]) -> tuple[bool, bool, int]:
    """Return how far a value is from an alternative: another type, another kind, the number of findings."""
    is_other_type = any(each.validator == "type" and not each.relative_path for each in branch)
    is_other_kind = any(
        each.validator in ("const", "enum") and len(each.relative_path) <= 1 for each in branch
    )
    return is_other_type, is_other_kind, len(branch)
