"""The shape of the package: who imports whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "configsvc"
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50

MODULES = sorted(PACKAGE.rglob("*.py"))
CORE_MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((PACKAGE / "core").glob("*.py"))
    if path.name != "__init__.py"
]


def run_bare_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in an interpreter that sees the standard library and this project only."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"
    return subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT
    )


def test_imports_follow_the_contracts_in_setup_cfg() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [str(linter), "--no-logo", "--no-cache"], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_package_root_imports_nothing() -> None:
    result = run_bare_python(
        "before = set(sys.modules); import configsvc; print(*sorted(set(sys.modules) - before))"
    )
    assert result.stdout.split() == ["configsvc"], result.stderr


def test_a_bare_interpreter_has_no_third_party_module() -> None:
    assert run_bare_python("import yaml").returncode != 0


@pytest.mark.parametrize("module", CORE_MODULES)
def test_the_core_needs_only_the_standard_library(module: str) -> None:
    result = run_bare_python(f"import {module}")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_says_what_it_is_and_stays_readable_in_one_sitting(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "no docstring"
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    too_long = {
        node.name: length
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := body_lines(node)) > MAX_FUNCTION_LINES
    }
    assert not too_long


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    last = body[-1]
    return (last.end_lineno or last.lineno) - body[0].lineno + 1
