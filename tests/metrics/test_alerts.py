"""The alert rules that come with the docs are of metrics and labels that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from configsvc.api.problems import KNOWN_CODES

DOCS = Path(__file__).resolve().parents[2] / "docs"
GROUPS: Any = yaml.safe_load((DOCS / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ROW = re.compile(r"^\| `(configsvc_[a-z_]+)` \|([^|]*)\| (Histogram)?", re.MULTILINE)
FOREIGN = {"up", "process_open_fds", "process_max_fds"}
NAME = re.compile(r"\b(configsvc_[a-z_]+|process_[a-z_]+|up)\b(?:\{([^}]*)\})?")
LABEL = re.compile(r'([a-z]+)=~?"([^"]*)"')
DURATION = re.compile(r"[1-9][0-9]*[smhd]")
STEPS = {"queued", "taken", "built", "packed", "landed", "published", "answered"}
POOLS = {"reads", "writes", "probes", "git"}


def documented() -> dict[str, set[str]]:
    """Return every series that a server tells, and its labels."""
    found: dict[str, set[str]] = {}
    for name, labels, kind in ROW.findall((DOCS / "metrics.md").read_text(encoding="utf-8")):
        has = set(re.findall(r"`([a-z]+)`", labels))
        if kind:
            found |= {f"{name}_bucket": has | {"le"}, f"{name}_count": has, f"{name}_sum": has}
        else:
            found[name] = has
    return found


def test_there_are_rules() -> None:
    assert len(RULES) > 10
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_whole(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Configsvc[A-Z][A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"page", "warn", "info"}
    assert rule["annotations"]["summary"].count("{{") == rule["annotations"]["summary"].count("}}") > 0
    assert "for" not in rule or DURATION.fullmatch(rule["for"])
    expression = rule["expr"]
    for opening, closing in ("()", "[]", "{}"):
        assert expression.count(opening) == expression.count(closing)
    assert all(DURATION.fullmatch(each) for each in re.findall(r"\[([^\]]*)\]", expression))
    assert re.search(r"(==|>|<) [0-9.]+$", expression)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_of_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    series = documented()
    named = NAME.findall(rule["expr"])
    assert named
    for name, matchers in named:
        assert name in FOREIGN or name in series, name
        for label, value in LABEL.findall(matchers):
            known = {"code": KNOWN_CODES, "step": STEPS, "pool": POOLS, "job": {"configsvc"}}[label]
            assert label == "job" or label in series[name]
            assert set(value.split("|")) <= known, value
    for grouped in re.findall(r"by \(([^)]*)\)", rule["expr"]):
        assert set(grouped.split(", ")) <= {"instance", "le"}
