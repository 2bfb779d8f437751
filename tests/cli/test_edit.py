"""edit, with scripts in the editor's place."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import On

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

Editor = Callable[..., Path]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Make an editor that does one step of Python each time it is opened, and keeps what it was shown.

    A step has the file's `path` and its `text`; what it assigns to `text` is saved.
    """
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def make(*steps: str) -> Path:
        shown = tmp_path / "shown"
        shown.mkdir()
        program = tmp_path / "editor.py"
        program.write_text(
            "import pathlib, re, subprocess, sys\n"
            f"shown = pathlib.Path({str(shown)!r}); steps = {list(steps)!r}\n"
            "path = pathlib.Path(sys.argv[1]); text = path.read_text()\n"
            "number = len(list(shown.iterdir())); (shown / str(number)).write_text(text)\n"
            "scope = {'path': path, 'text': text, 'sys': sys, 'subprocess': subprocess, 're': re}\n"
            "exec(steps[number], scope); path.write_text(scope['text'])\n"
        )
        monkeypatch.setenv("VISUAL", shlex.join([sys.executable, str(program)]))
        return shown

    return make


def kept(on: On) -> Path:
    """Return the file in which a text was kept, as the command told."""
    (line,) = (line for line in on.err.splitlines() if "the text is kept in" in line)
    return Path(line.rpartition(" in ")[2])


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("configsvc-")]


def test_a_document_is_edited_with_its_comments(on: On, editor: Editor, tmp_path: Path) -> None:
    on("put", "edit/api", stdin="# euro\nn: 1\n")
    editor("text = text.replace('1', '2')")
    assert on("edit", "edit/api", "-m", "Why") == 0
    assert on.out.startswith("edit/api version 1")
    on("get", "edit/api")
    assert on.out == "# euro\nn: 2\n"
    on("log", "edit/api", "--limit", "1")
    assert on.out.rstrip().endswith("Why")
    assert left(tmp_path) == []


def test_a_service_that_does_not_exist_is_created(on: On, editor: Editor) -> None:
    shown = editor("text += '{\"n\": 1}'")
    assert on("edit", "edit/new", "--format", "json") == 0
    assert (shown / "0").read_text() == "# configsvc: edit/new does not exist yet\n"
    on("get", "edit/new")
    assert on.out == '{\n  "n": 1\n}\n'


def test_what_is_left_as_it_is_changes_nothing(on: On, editor: Editor, tmp_path: Path) -> None:
    on("put", "edit/same", stdin="n: 1\n")
    editor("pass")
    assert on("edit", "edit/same") == 0
    assert on.out == "nothing to change\n"
    assert left(tmp_path) == []


def test_the_editor_opens_again_with_what_was_found_until_the_text_is_taken(on: On, editor: Editor) -> None:
    on("put", "held/edited", stdin="a: 1\ntimeout_s: 1\n")
    shown = editor(
        "text = text.replace('timeout_s: 1', 'timeout_s: 99')",
        "text = text.replace('timeout_s: 99', 'timeout_s: [')",
        "text = text.replace('timeout_s: [', 'timeout_s: 9')",
    )
    assert on("edit", "held/edited") == 0
    first, second, third = ((shown / str(number)).read_text() for number in range(3))
    assert first == "a: 1\ntimeout_s: 1\n"
    assert second.startswith("# configsvc: line 3, column 12: /timeout_s: ")
    assert second.splitlines()[2] == "timeout_s: 99"
    assert third.startswith("# configsvc: line ")
    assert third.endswith("a: 1\ntimeout_s: [\n")
    on("get", "held/edited")
    assert on.out == "a: 1\ntimeout_s: 9\n"


def test_a_text_that_is_not_taken_is_kept(on: On, editor: Editor) -> None:
    on("put", "held/kept", stdin="timeout_s: 1\n")
    editor("text = text.replace('1', '99')", "pass")
    assert on("edit", "held/kept") == 2
    assert "left as it was" in on.err
    path = kept(on)
    assert path.read_text().endswith("timeout_s: 99\n")
    assert path.stat().st_mode & 0o077 == 0
    on("get", "held/kept")
    assert on.out == "timeout_s: 1\n"


def test_an_editor_that_fails_loses_nothing(on: On, editor: Editor) -> None:
    on("put", "edit/crash", stdin="n: 1\n")
    editor("path.write_text('n: 7\\n'); sys.exit(3)")
    assert on("edit", "edit/crash") == 2
    assert "editor: " in on.err
    assert kept(on).read_text() == "n: 7\n"


def test_who_was_overtaken_sees_by_what_and_edits_on(on: On, editor: Editor) -> None:
    on("put", "edit/race", stdin="n: 1\nm: 1\n")
    other = [sys.executable, "-m", "configsvc.cli", "patch", "edit/race", *on.at.options, '{"m": 2}']
    shown = editor(
        f"subprocess.run({other!r}, check=True); text = text.replace('n: 1', 'n: 9')",
        "text = text.replace('m: 1', 'm: 2')",
    )
    assert on("edit", "edit/race") == 0
    again = (shown / "1").read_text()
    assert (
        "# configsvc: edit/race is at version 1 now; change the text or remove these lines to replace"
        in again
    )
    assert "# configsvc: +m: 2\n" in again
    assert again.endswith("n: 9\nm: 1\n")
    on("get", "edit/race")
    assert on.out == "n: 9\nm: 2\n"


def test_who_was_overtaken_and_removes_what_is_told_of_it_wins(
    on: On, editor: Editor, tmp_path: Path
) -> None:
    on("put", "edit/wins", stdin="n: 1\n")
    other = [sys.executable, "-m", "configsvc.cli", "patch", "edit/wins", *on.at.options, '{"n": 2}']
    editor(
        f"subprocess.run({other!r}, check=True); text = 'n: 9\\n'",
        "text = re.sub('(?m)^# configsvc: .*\\n', '', text)",
    )
    assert on("edit", "edit/wins") == 0
    on("get", "edit/wins")
    assert on.out == "n: 9\n"
    assert left(tmp_path) == []


def test_who_was_overtaken_and_leaves_it_at_that_overwrites_nothing(on: On, editor: Editor) -> None:
    on("put", "edit/loses", stdin="n: 1\n")
    other = [sys.executable, "-m", "configsvc.cli", "patch", "edit/loses", *on.at.options, '{"n": 2}']
    editor(f"subprocess.run({other!r}, check=True); text = 'n: 9\\n'", "pass")
    assert on("edit", "edit/loses") == 2
    assert kept(on).read_text().endswith("n: 9\n")
    on("get", "edit/loses")
    assert on.out == "n: 2\n"


def test_an_interrupt_in_the_editor_is_the_editors(on: On, editor: Editor) -> None:
    on("put", "edit/keys", stdin="n: 1\n")
    editor(
        "import os, signal; signal.signal(signal.SIGINT, lambda *_: print('caught'))\n"
        "os.kill(os.getppid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT); text = 'n: 2\\n'"
    )
    assert on("edit", "edit/keys") == 0
    on("get", "edit/keys")
    assert on.out == "n: 2\n"


def test_an_editor_with_quotes_that_do_not_close_is_told(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    on("put", "edit/quotes", stdin="n: 1\n")
    monkeypatch.setenv("VISUAL", "vi '")
    assert on("edit", "edit/quotes") == 2
    assert "expected: VISUAL or EDITOR that works" in on.err


def test_others_may_write_while_the_editor_is_open_again(on: On, editor: Editor) -> None:
    on("put", "held/open", stdin="timeout_s: 1\n")
    other = [sys.executable, "-m", "configsvc.cli", "patch", "held/open", *on.at.options, '{"a": 1}']
    shown = editor(
        "text = 'timeout_s: 99\\n'",
        f"subprocess.run({other!r}, check=True); text = 'timeout_s: 9\\n'",
        "text = 'timeout_s: 8\\n'",
    )
    assert on("edit", "held/open") == 0
    assert "is at version 1 now" in (shown / "2").read_text()
    on("get", "held/open")
    assert on.out == "timeout_s: 8\n"
