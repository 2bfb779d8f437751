"""The shape of the package: who imports whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
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


@pytest.mark.slow
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


def test_the_core_needs_only_the_standard_library() -> None:
    result = run_bare_python(f"import {', '.join(CORE_MODULES)}")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_module_says_what_it_is_and_stays_readable_in_one_sitting() -> None:
    assert MODULES
    problems = {path.relative_to(PACKAGE).as_posix(): list(hard_to_read(path)) for path in MODULES}
    assert not {path: found for path, found in problems.items() if found}


def hard_to_read(path: Path) -> Iterator[str]:
    """Yield what makes a module hard to read."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    if not ast.get_docstring(tree):
        yield "no docstring"
    if (length := len(text.splitlines())) > MAX_MODULE_LINES:
        yield f"{length} lines (expected: <= {MAX_MODULE_LINES})"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = body_lines(node)
            if length > MAX_FUNCTION_LINES:
                yield f"{node.name}: {length} lines (expected: <= {MAX_FUNCTION_LINES})"


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    last = body[-1]
    return (last.end_lineno or last.lineno) - body[0].lineno + 1
