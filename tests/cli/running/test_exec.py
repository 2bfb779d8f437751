"""exec: a program with its configuration, kept up with changes."""

from __future__ import annotations

import itertools
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from configsvc.assembly import open_instance
from configsvc.client import Client
from configsvc.core.names import Format
from configsvc.service.changes import PutDocument
from configsvc.settings import Settings
from tests.cli.conftest import On
from tests.cli.places import At
from tests.cli.running.programs import configsvc, lines, wait_until
from tests.end_to_end.serving import ROOT

pytestmark = pytest.mark.slow

CHANGES = 50
WITHIN_S = 10.0

READS_ITS_FILE = """
import json, os, signal, sys, time
def note(*_):
    value = json.load(open(os.environ["CONFIGSVC_EXEC_FILE"]))
    print(value["a"], value["b"], value["pad"] == "x" * 20000, file=log, flush=True)
log = open("log", "a")
signal.signal(signal.SIGHUP, note)
note()
while True:
    signal.pause()
"""
READS_ITS_VARIABLES = """
import os, signal, sys, time
def end(*_):
    time.sleep(0.5)  # longer than changes are apart: they come while it ends
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with open("log", "a") as log:
    print(os.environ["CONFIG_A"], os.environ["CONFIG_B"], os.environ["CONFIG_PAD"] == "x" * 20000, file=log)
while True:
    signal.pause()
"""

Put = Callable[[str, dict[str, object]], None]


@contextmanager
def writing(at: At) -> Iterator[Put]:
    """Give what writes to a place while others read it: through its server, or as the holder of its lock."""
    if at.kind == "url":
        with Client(at.options[1]) as client:

            def send(service: str, value: dict[str, object]) -> None:
                client.put(service, value)

            yield send
        return
    with open_instance(Settings(repo=at.repo), create=False) as instance:
        config = instance.service

        def put(service: str, value: dict[str, object]) -> None:
            document = config.read_document(json.dumps(value).encode(), Format.JSON)
            config.commit([PutDocument(service, document)])

        yield put


def state(number: int) -> dict[str, object]:
    return {"a": number, "b": number, "pad": "x" * 20_000}


@pytest.mark.thorough
def test_fifty_changes_in_ten_seconds_lose_and_tear_no_state(at: At, tmp_path: Path) -> None:
    ways = {"signal": ("--file", "it.json", "--on-change", "HUP"), "restart": ()}
    programs = {"signal": READS_ITS_FILE, "restart": READS_ITS_VARIABLES}
    with ExitStack() as held:
        put = held.enter_context(writing(at))
        put("exec/fifty", state(0))
        running = {}
        for way, options in ways.items():
            (tmp_path / way).mkdir()
            run = ("exec", *at.options, *options, "exec/fifty", "--", sys.executable, "-c", programs[way])
            running[way] = held.enter_context(configsvc(*run, cwd=tmp_path / way))
        for way, process in running.items():
            wait_until(partial(has_logged, tmp_path / way, 0), process)
        pace = threading.Event()
        for number in range(1, CHANGES + 1):
            put("exec/fifty", state(number))
            if number != CHANGES - 1:  # so that the last one comes while the program ends for that before it
                pace.wait(WITHIN_S / CHANGES)
        for way, process in running.items():
            wait_until(partial(has_logged, tmp_path / way, CHANGES), process)
            process.send_signal(signal.SIGTERM)
        assert running["signal"].wait(20) == 128 + signal.SIGTERM
        assert running["restart"].wait(20) == 0
    for way in ways:
        seen = [line.split() for line in lines(tmp_path / way / "log")]
        assert all(a == b and whole == "True" for a, b, whole in seen)
        assert all(int(before[0]) <= int(after[0]) for before, after in itertools.pairwise(seen))
        assert len(seen) > 2


def has_logged(folder: Path, number: int) -> bool:
    """Return whether the newest state that a program noted is this one."""
    return lines(folder / "log")[-1:] == [f"{number} {number} True"]


def test_a_program_gets_its_variables_and_its_exit_code_is_told(on: On, tmp_path: Path) -> None:
    on("put", "exec/codes", stdin="limits: {cpu: 2}\nname: a b\n")
    out = tmp_path / "out"
    shell = f'echo "$CONFIG_LIMITS_CPU $CONFIG_NAME $CONFIGSVC_EXEC_VERSION" > {out}; exit 7'
    assert on("exec", "exec/codes", "--", "sh", "-c", shell) == 7
    assert out.read_text() == "2 a b 0\n"
    assert on("exec", "exec/codes", "--prefix", "", "--", "sh", "-c", f'echo "$NAME" > {out}') == 0
    assert out.read_text() == "a b\n"
    assert on("exec", "exec/codes", "--", "sh", "-c", "kill -9 $$") == 137


def test_a_document_sets_no_variable_without_the_prefix(on: On, tmp_path: Path) -> None:
    on("put", "exec/paths", stdin="PATH: /sly\nLD_PRELOAD: /sly\nCONFIGSVC_EXEC_VERSION: 9\n")
    out = tmp_path / "out"
    assert on("exec", "exec/paths", "--", "sh", "-c", f"env > {out}") == 0
    told = out.read_text().splitlines()
    assert {line for line in told if "/sly" in line} == {"CONFIG_PATH=/sly", "CONFIG_LD_PRELOAD=/sly"}
    assert "CONFIGSVC_EXEC_VERSION=0" in told


def test_a_program_gets_no_token_unless_it_is_told_to(
    on: On, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on("put", "exec/token", stdin="a: 1\n")
    monkeypatch.setenv("CONFIGSVC_TOKEN", "t" * 40)
    monkeypatch.setenv("OTHER", "stays")
    out = tmp_path / "out"
    shell = f'echo "${{CONFIGSVC_TOKEN-none}} $OTHER" > {out}'
    assert on("exec", "exec/token", "--", "sh", "-c", shell) == 0
    assert out.read_text() == "none stays\n"
    assert on("exec", "exec/token", "--pass-token", "--", "sh", "-c", shell) == 0
    assert out.read_text() == "t" * 40 + " stays\n"


@pytest.mark.parametrize(
    ("ending", "text"), [("yaml", "a: 1 # euro\n"), ("json", '{\n  "a": 1\n}\n'), ("env", "CONFIG_A='1'\n")]
)
def test_a_program_gets_its_file_in_the_format_that_it_wants(
    on: On, tmp_path: Path, ending: str, text: str
) -> None:
    on("put", "exec/file", stdin="a: 1 # euro\n")
    path = tmp_path / f"it.{ending}"
    path.write_text("old")
    assert (
        on(
            "exec",
            "exec/file",
            "--file",
            path,
            "--",
            "sh",
            "-c",
            f'cp "$CONFIGSVC_EXEC_FILE" {tmp_path}/seen',
        )
        == 0
    )
    assert (tmp_path / "seen").read_text() == text
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("exec/none", "--", "true"), 125, "does not exist"),
        (("exec/odd", "--", "true"), 125, "are both CONFIG_A_B"),
        (("exec/well", "--", "no-such-program"), 127, "is not there"),
        (("exec/well", "--", "/"), 126, "cannot be run"),
        (("exec/well", "--file", "/nowhere/it", "--", "true"), 125, "cannot be written"),
        (("exec/big", "--", "true"), 125, "CONFIG_TEXT has 140012 bytes"),
        (("exec/well",), 125, "CMD"),
        (("exec/well", "--on-change", "HUP", "--", "true"), 125, "expected: --file"),
        (("exec/well", "--on-change", "NONE_SUCH", "--", "true"), 125, "no signal"),
        (("exec/well", "--prefix", "app_", "--", "true"), 125, "'app_' (expected: A-Z, 0-9 and _"),
        (("exec/well", "--grace", "nan", "--", "true"), 125, "expected: a number"),
        (("exec/well", "--file", "", "--", "true"), 125, "expected: a file's path"),
        (("exec/well", "--format", "env", "--", "true"), 125, "expected: --file"),
        (("exec/well", "--profile", "none", "--", "true"), 125, "expected: one of them"),
        (("exec/well", "--no-such-option", "--", "true"), 125, "no-such-option"),
    ],
)
def test_what_cannot_be_run_has_codes_of_its_own(
    on: On, arguments: tuple[str, ...], code: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    on("put", "exec/well", stdin="a: 1\n")
    on("put", "exec/odd", stdin="a_b: 1\na: {b: 1}\n")
    on("put", "exec/big", stdin="text: " + "x" * 140_000)
    assert on("exec", *arguments) == code
    assert told in on.err + caplog.text


def test_signals_go_on_to_the_program_which_decides_when_to_end(at: At, tmp_path: Path) -> None:
    program = """
    trap "echo usr1 >> log" USR1
    trap "echo term >> log; exit 5" TERM
    echo up >> log
    while :; do sleep 0.05; done
    """
    with writing(at) as put:
        put("exec/signals", {})
        with configsvc(
            "exec", *at.options, "exec/signals", "--", "sh", "-c", program, cwd=tmp_path
        ) as process:
            wait_until(lambda: lines(tmp_path / "log") == ["up"], process)
            process.send_signal(signal.SIGUSR1)
            wait_until(lambda: lines(tmp_path / "log") == ["up", "usr1"], process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 5
    assert lines(tmp_path / "log") == ["up", "usr1", "term"]


def test_a_program_that_does_not_end_is_killed_and_started_again(at: At, tmp_path: Path) -> None:
    program = 'trap "" TERM; echo $CONFIG_N >> log; while [ ! -e stop ]; do sleep 0.05; done'
    with writing(at) as put:
        put("exec/stubborn", {"n": 1})
        run = ("exec", *at.options, "--grace", "0.2", "exec/stubborn", "--", "sh", "-c", program)
        with configsvc(*run, cwd=tmp_path) as process:
            wait_until(lambda: lines(tmp_path / "log") == ["1"], process)
            put("exec/stubborn", {"n": 2})
            wait_until(lambda: lines(tmp_path / "log") == ["1", "2"], process)
            (tmp_path / "stop").touch()
            assert process.wait(20) == 0


def test_a_version_that_cannot_be_given_is_passed_over(at: At, tmp_path: Path) -> None:
    program = "echo $CONFIG_N >> log; exec sleep 100"
    with writing(at) as put:
        put("exec/clash", {"n": 1})
        run = ("exec", *at.options, "exec/clash", "--", "sh", "-c", program)
        with configsvc(*run, cwd=tmp_path, stderr=subprocess.PIPE) as process:
            wait_until(lambda: lines(tmp_path / "log") == ["1"], process)
            put("exec/clash", {"n": 2, "N": 2})
            assert process.stderr is not None
            assert "version 1 is not taken" in process.stderr.readline()
            put("exec/clash", {"n": 3, "text": "x" * 140_000})
            assert "version 2 is not taken: variable: CONFIG_TEXT has" in process.stderr.readline()
            put("exec/clash", {"n": 4})
            wait_until(lambda: lines(tmp_path / "log") == ["1", "4"], process)


@pytest.mark.thorough
@pytest.mark.parametrize("caught", [signal.SIGINT, signal.SIGQUIT])
def test_a_program_that_outlives_an_interruption_gets_what_came_meanwhile(
    on: On, tmp_path: Path, caught: signal.Signals
) -> None:
    program = f"""
    trap 'echo {caught.name} >> log' {caught.name.removeprefix("SIG")}
    echo $CONFIG_N >> log
    while :; do sleep 0.05; done
    """
    service = f"exec/{caught.name.lower()}"
    with writing(on.at) as put:
        put(service, {"n": 1})
        run = ("exec", *on.at.options, "--grace", "1", service, "--", "sh", "-c", program)
        with configsvc(*run, cwd=tmp_path) as process:
            wait_until(lambda: lines(tmp_path / "log") == ["1"], process)
            process.send_signal(caught)
            wait_until(lambda: lines(tmp_path / "log") == ["1", caught.name], process)
            put(service, {"n": 2})
            wait_until(lambda: lines(tmp_path / "log") == ["1", caught.name, "2"], process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 128 + signal.SIGTERM


@pytest.mark.thorough
def test_a_file_that_cannot_be_written_now_is_written_later(on: On, tmp_path: Path) -> None:
    folder, aside = tmp_path / "folder", tmp_path / "aside"
    folder.mkdir()
    program = (
        "trap 'cat aside/it.json folder/it.json >> log 2>&-' USR1; echo up; while :; do sleep 0.05; done"
    )
    with writing(on.at) as put:
        put("exec/later", {"n": 1})
        # USR1, since who started the tests may have HUP ignored, as nohup does, and what is ignored stays so.
        run = ("exec", *on.at.options, "--file", "folder/it.json", "--on-change", "USR1", "exec/later")
        with configsvc(
            *run, "--", "sh", "-c", program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "up\n"
            folder.rename(aside)
            put("exec/later", {"n": 2})
            assert "trying again" in process.stderr.readline()
            assert json.loads((aside / "it.json").read_text()) == {"n": 1}
            aside.rename(folder)
            wait_until(lambda: '  "n": 2' in lines(tmp_path / "log"), process)


TAKES_THE_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)  # who started the tests may have it ignored
os.execv(sys.executable, [sys.executable, "-m", "configsvc.cli", *sys.argv[1:]])
"""
COUNTS_INTERRUPTS = """
import signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("up", flush=True)
while not seen:
    signal.pause()
time.sleep(0.3)  # another one would come by then
sys.exit(40 + len(seen))
"""


def test_what_the_terminal_tells_both_is_not_told_twice(on: On, tmp_path: Path) -> None:
    on("put", "exec/terminal", stdin="{}")
    ours, theirs = pty.openpty()
    program = ("exec", *on.at.options, "exec/terminal", "--", sys.executable, "-c", COUNTS_INTERRUPTS)
    with subprocess.Popen(
        [sys.executable, "-c", TAKES_THE_TERMINAL, *program],
        stdin=theirs,
        stdout=theirs,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"up" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, b"\x03")
        assert process.wait(20) == 41
    os.close(ours)
